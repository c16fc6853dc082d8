// The log entries of the course simulator's front door: a command of lib/kv and who is to hear of it, so that whoever
// commits the entry can answer, also for a leader that died.
import { ByteReader, ByteWriter } from "../bytes/mod.ts";
import { encodeCommand, kvStateMachine } from "../kv/mod.ts";
import type { GetQuery, KvAnswer, KvQuery } from "../kv/mod.ts";
import type { StateMachineFactory } from "../replica/ports.ts";

const keyspace = 2;

/** Whose request it is: the client's id and the message's. */
export type Asker = { readonly client: string; readonly mid: string };

export function encodePut({ client, mid }: Asker, key: string, value: string): Uint8Array {
  const encoder = new TextEncoder();
  const command = encodeCommand({
    type: "put",
    keyspace,
    key: encoder.encode(key),
    value: encoder.encode(value),
    contentType: "",
    conditions: [],
  });
  return new ByteWriter(command.byteLength + 32).text(client).text(mid).raw(command).finish();
}

/** Throws MalformedBytes for what encodePut did not make. */
export function askerOf(entry: Uint8Array): Asker {
  const reader = new ByteReader(entry);
  return { client: reader.text(), mid: reader.text() };
}

export function valueQuery(key: string): GetQuery {
  return { type: "get", keyspace, key: new TextEncoder().encode(key) };
}

/** lib/kv under that envelope. */
export const datacenterMachine: StateMachineFactory<KvQuery, KvAnswer> = (store) => {
  const kv = kvStateMachine(store);
  return {
    apply: (applied) => {
      const reader = new ByteReader(applied.command);
      reader.bytes();
      reader.bytes();
      return kv.apply({ ...applied, command: reader.raw(reader.remaining) });
    },
    query: (query) => kv.query(query),
  };
};
