// A key-value machine over a store in memory, with a log index that counts up by itself.
import {
  type Condition,
  decodeResult,
  encodeCommand,
  getItem,
  type KvCommand,
  type KvItem,
  type KvResult,
  kvStateMachine,
  listPage,
  type ListQuery,
  type PageAnswer,
} from "../../lib/kv/mod.ts";
import { memoryOrderedStore } from "../../lib/memory/mod.ts";
import type { OrderedStore } from "../../lib/replica/ports.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const bytes = (text: string): Uint8Array => encoder.encode(text);
export const text = (value: Uint8Array): string => decoder.decode(value);

export function put(key: string, value: string, ...conditions: Condition[]): KvCommand {
  return {
    type: "put",
    keyspace: 0,
    key: bytes(key),
    value: bytes(value),
    contentType: "text/plain",
    conditions,
  };
}

export function del(key: string, ...conditions: Condition[]): KvCommand {
  return { type: "delete", keyspace: 0, key: bytes(key), conditions };
}

export function delPrefix(prefix: string): KvCommand {
  return { type: "deletePrefix", keyspace: 0, prefix: bytes(prefix) };
}

export class Kv {
  readonly store: OrderedStore = memoryOrderedStore();
  readonly #machine = kvStateMachine(this.store);
  index = 0;

  run(command: KvCommand): KvResult {
    return decodeResult(this.apply(encodeCommand(command)));
  }

  apply(command: Uint8Array): Uint8Array {
    this.index++;
    return this.#machine.apply({ index: this.index, term: 1, time: this.index * 10, command });
  }

  get(key: string, keyspace = 0): KvItem | null {
    return getItem(this.#machine, { keyspace, key: bytes(key) });
  }

  list(query: Partial<Omit<ListQuery, "type">> = {}): PageAnswer {
    return listPage(this.#machine, { keyspace: 0, limit: 100, ...query });
  }

  keys(query: Partial<Omit<ListQuery, "type">> = {}): string[] {
    return this.list(query).items.map((item) => text(item.key));
  }
}
