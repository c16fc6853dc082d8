// An ordered store of bytes in memory: sorted chunks of keys, found by two binary searches.
import { compareBytes } from "../bytes/mod.ts";
import type { OrderedStore, ScanRange } from "../replica/ports.ts";

type Chunk = { readonly keys: Uint8Array[]; readonly values: Uint8Array[] };

/** A chunk that grew to this many keys is split in two. */
const maxChunk = 256;

/** A fresh, empty ordered store. */
export function memoryOrderedStore(): MemoryOrderedStore {
  return new MemoryOrderedStore();
}

export class MemoryOrderedStore implements OrderedStore {
  /** Never an empty chunk. */
  #chunks: Chunk[] = [];
  #size = 0;

  /** How many keys there are. */
  get size(): number {
    return this.#size;
  }

  get(key: Uint8Array): Uint8Array | null {
    const chunk = this.#chunks[this.#chunkOf(key)];
    if (chunk === undefined) return null;
    const at = lowerBound(chunk.keys, key);
    const found = chunk.keys[at];
    return found !== undefined && compareBytes(found, key) === 0 ? chunk.values[at] ?? null : null;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const chunkAt = this.#chunkOf(key);
    const chunk = this.#chunks[chunkAt];
    if (chunk === undefined) {
      this.#chunks.push({ keys: [key.slice()], values: [value.slice()] });
      this.#size++;
      return;
    }
    const at = lowerBound(chunk.keys, key);
    const found = chunk.keys[at];
    if (found !== undefined && compareBytes(found, key) === 0) {
      chunk.values[at] = value.slice();
      return;
    }
    chunk.keys.splice(at, 0, key.slice());
    chunk.values.splice(at, 0, value.slice());
    this.#size++;
    if (chunk.keys.length >= maxChunk) {
      const keys = chunk.keys.splice(maxChunk / 2);
      const values = chunk.values.splice(maxChunk / 2);
      this.#chunks.splice(chunkAt + 1, 0, { keys, values });
    }
  }

  delete(key: Uint8Array): boolean {
    const chunkAt = this.#chunkOf(key);
    const chunk = this.#chunks[chunkAt];
    if (chunk === undefined) return false;
    const at = lowerBound(chunk.keys, key);
    const found = chunk.keys[at];
    if (found === undefined || compareBytes(found, key) !== 0) return false;
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    this.#size--;
    if (chunk.keys.length === 0) this.#chunks.splice(chunkAt, 1);
    return true;
  }

  *scan(
    { start, end, reverse = false, limit = Infinity }: ScanRange,
  ): Iterable<readonly [Uint8Array, Uint8Array]> {
    const step = reverse ? -1 : 1;
    let [chunkAt, at] = reverse ? this.#before(end) : this.#from(start);
    for (let count = 0; count < limit;) {
      const chunk = this.#chunks[chunkAt];
      if (chunk === undefined) return;
      const key = chunk.keys[at];
      const value = chunk.values[at];
      if (key === undefined || value === undefined) {
        chunkAt += step;
        at = reverse ? (this.#chunks[chunkAt]?.keys.length ?? 0) - 1 : 0;
        continue;
      }
      if (reverse ? compareBytes(key, start) < 0 : end !== null && compareBytes(key, end) >= 0) return;
      yield [key, value];
      count++;
      at += step;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#size = 0;
  }

  /** The place of the first key ≥ `key`; perhaps one past the end of its chunk. */
  #from(key: Uint8Array): [chunkAt: number, at: number] {
    const chunkAt = this.#chunkOf(key);
    return [chunkAt, lowerBound(this.#chunks[chunkAt]?.keys ?? [], key)];
  }

  /** The place of the last key < `end`; perhaps one before the start of its chunk. */
  #before(end: Uint8Array | null): [chunkAt: number, at: number] {
    if (end === null) {
      const last = this.#chunks.length - 1;
      return [last, (this.#chunks[last]?.keys.length ?? 0) - 1];
    }
    const [chunkAt, at] = this.#from(end);
    return [chunkAt, at - 1];
  }

  /** The last chunk whose first key is ≤ `key`, or the first. */
  #chunkOf(key: Uint8Array): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = this.#chunks[middle]?.keys[0];
      if (first !== undefined && compareBytes(first, key) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The first place whose key is ≥ `key`. */
function lowerBound(keys: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const found = keys[middle];
    if (found !== undefined && compareBytes(found, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
