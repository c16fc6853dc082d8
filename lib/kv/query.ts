// Reading: one key, or a page of a range of keys. The work of one query is bounded by keys and by bytes.
import { afterPrefix, compareBytes, concatBytes } from "../bytes/mod.ts";
import type { OrderedStore } from "../replica/ports.ts";
import { decodeRecord, keyOfStoreKey, type KvRecord, storeKey } from "./record.ts";

export type GetQuery = { readonly type: "get"; readonly keyspace: number; readonly key: Uint8Array };

/** Keys that begin with `prefix`, are ≥ `start` and < `end`, in unsigned byte order. */
export type ListQuery = {
  readonly type: "list";
  readonly keyspace: number;
  readonly prefix?: Uint8Array | undefined;
  /** Inclusive. */
  readonly start?: Uint8Array | undefined;
  /** Exclusive. */
  readonly end?: Uint8Array | undefined;
  /** `next` of the page before: goes on with the key that follows it, in the direction of the listing. */
  readonly after?: Uint8Array | undefined;
  /** From the highest key down. */
  readonly reverse?: boolean | undefined;
  /** Items without their values. */
  readonly keysOnly?: boolean | undefined;
  /** Items in a page; brought into 1 … MAX_PAGE_ITEMS. */
  readonly limit: number;
};

export type KvQuery = GetQuery | ListQuery;

export type KvItem = KvRecord & { readonly key: Uint8Array };

/** `value` is null with `keysOnly`. */
export type ListedItem = Omit<KvItem, "value"> & { readonly value: Uint8Array | null };

export type ItemAnswer = { readonly type: "item"; readonly item: KvItem | null };

export type PageAnswer = {
  readonly type: "page";
  readonly items: readonly ListedItem[];
  /** The last key of this page, where more keys follow; null = this was the last page. */
  readonly next: Uint8Array | null;
};

/** "item" to "get", "page" to "list". */
export type KvAnswer = ItemAnswer | PageAnswer;

export const MAX_PAGE_ITEMS = 1_000;
/** A page ends with the item that reaches this many bytes of keys and values. */
export const MAX_PAGE_BYTES = 4 * 1024 * 1024;

/** Whatever answers queries: a replica, or the state machine itself. */
type Source = { query(query: KvQuery): KvAnswer };

/** `source.query` with the answer's type known. */
export function getItem(source: Source, query: Omit<GetQuery, "type">): KvItem | null {
  const answer = source.query({ ...query, type: "get" });
  if (answer.type !== "item") throw new TypeError(`"get" was answered with "${answer.type}"`);
  return answer.item;
}

/** `source.query` with the answer's type known. */
export function listPage(source: Source, query: Omit<ListQuery, "type">): PageAnswer {
  const answer = source.query({ ...query, type: "list" });
  if (answer.type !== "page") throw new TypeError(`"list" was answered with "${answer.type}"`);
  return answer;
}

export function answerGet(store: OrderedStore, query: GetQuery): ItemAnswer {
  const found = store.get(storeKey(query.keyspace, query.key));
  return { type: "item", item: found === null ? null : { key: query.key, ...decodeRecord(found) } };
}

export function answerList(store: OrderedStore, query: ListQuery): PageAnswer {
  const range = rangeOf(query);
  const limit = Math.max(1, Math.min(Math.trunc(query.limit), MAX_PAGE_ITEMS));
  if (range === null) return { type: "page", items: [], next: null };
  const items: ListedItem[] = [];
  let bytes = 0;
  // One key more than asked for tells whether there is another page.
  for (const [stored, value] of store.scan({ ...range, reverse: query.reverse === true, limit: limit + 1 })) {
    if (items.length === limit || bytes >= MAX_PAGE_BYTES) {
      return { type: "page", items, next: items.at(-1)?.key ?? null };
    }
    const key = keyOfStoreKey(stored);
    const record = decodeRecord(value);
    items.push({ key, ...record, value: query.keysOnly === true ? null : record.value });
    bytes += key.byteLength + value.byteLength;
  }
  return { type: "page", items, next: null };
}

/** The range in the store's keys; null = empty. */
function rangeOf(query: ListQuery): { readonly start: Uint8Array; readonly end: Uint8Array | null } | null {
  const inStore = (key: Uint8Array) => storeKey(query.keyspace, key);
  const prefix = inStore(query.prefix ?? new Uint8Array());
  let start = prefix;
  let end = afterPrefix(prefix);
  if (query.start !== undefined) start = later(start, inStore(query.start));
  if (query.end !== undefined) end = earlier(end, inStore(query.end));
  if (query.after !== undefined) {
    if (query.reverse === true) end = earlier(end, inStore(query.after));
    // The smallest key above a key is that key and a zero byte.
    else start = later(start, concatBytes([inStore(query.after), new Uint8Array(1)]));
  }
  return end !== null && compareBytes(start, end) >= 0 ? null : { start, end };
}

function later(a: Uint8Array, b: Uint8Array): Uint8Array {
  return compareBytes(a, b) >= 0 ? a : b;
}

function earlier(a: Uint8Array | null, b: Uint8Array): Uint8Array {
  return a !== null && compareBytes(a, b) <= 0 ? a : b;
}
