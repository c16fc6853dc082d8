// The log entries of the course simulator's front door: a command of lib/kv and who is to hear of it, so that whoever
// commits the entry can answer, also for a leader that died.
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";
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

/** Throws MalformedBytes. */
function commandOf(entry: Uint8Array): Uint8Array {
  const reader = new ByteReader(entry);
  reader.bytes();
  reader.bytes();
  return reader.raw(reader.remaining);
}

function isEntry(entry: Uint8Array): boolean {
  try {
    askerOf(entry);
    return true;
  } catch (error) {
    if (error instanceof MalformedBytes) return false;
    throw error;
  }
}

export function valueQuery(key: string): GetQuery {
  return { type: "get", keyspace, key: new TextEncoder().encode(key) };
}

/** lib/kv under that envelope. */
export const datacenterMachine: StateMachineFactory<KvQuery, KvAnswer> = (store) => {
  const kv = kvStateMachine(store);
  return {
    accepts: (entry) => isEntry(entry) && kv.accepts?.(commandOf(entry)) !== false,
    apply: (applied) => kv.apply({ ...applied, command: commandOf(applied.command) }),
    query: (query) => kv.query(query),
  };
};
