// An ordered store whose rows carry checksums, verified on every read, and that keeps the hash of all rows up to date.
//
//   stored value   crc u32 · murmur u32 · value     both over key and value (state-hash.ts)
//
// A state machine nearly always reads a row before it writes it, so the hashes of the row read last are remembered:
// a put then costs no second read.
import { compareBytes, equalBytes, putU32, u32At } from "../bytes/mod.ts";
import { CorruptStorage } from "./corruption.ts";
import type { OrderedStore, ScanRange } from "./ports.ts";
import { hashRow, type RowHash, StateHash } from "./state-hash.ts";

const header = 8;

export class CheckedStore implements OrderedStore {
  readonly #inner: OrderedStore;
  readonly #fatal: (message: string) => void;
  readonly #hash: StateHash;
  #lastKey: Uint8Array | null = null;
  #lastHash: RowHash | null = null;
  #writtenBytes = 0;

  constructor(inner: OrderedStore, hash: StateHash, fatal: (message: string) => void) {
    this.#inner = inner;
    this.#hash = hash;
    this.#fatal = fatal;
  }

  /** Bytes of keys and values written and deleted since the last call. */
  takeWrittenBytes(): number {
    const bytes = this.#writtenBytes;
    this.#writtenBytes = 0;
    return bytes;
  }

  get(key: Uint8Array): Uint8Array | null {
    try {
      const stored = this.#inner.get(key);
      const row = stored === null ? null : openRow(key, stored);
      this.#remember(key, row?.hash ?? null);
      return row?.value ?? null;
    } catch (error) {
      throw this.#noticed(error);
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const old = this.#hashOf(key);
    const hash = hashRow(key, value);
    const stored = new Uint8Array(header + value.byteLength);
    putU32(stored, 0, hash.crc);
    putU32(stored, 4, hash.murmur);
    stored.set(value, header);
    this.#inner.put(key, stored);
    if (old !== null) this.#hash.remove(old);
    this.#hash.add(hash);
    this.#remember(key, hash);
    this.#writtenBytes += key.byteLength + stored.byteLength;
  }

  delete(key: Uint8Array): boolean {
    const old = this.#hashOf(key);
    if (old === null) return false;
    this.#inner.delete(key);
    this.#hash.remove(old);
    this.#remember(key, null);
    this.#writtenBytes += key.byteLength;
    return true;
  }

  *scan(range: ScanRange): Iterable<readonly [key: Uint8Array, value: Uint8Array]> {
    let before: Uint8Array | null = null;
    try {
      for (const [key, stored] of this.#inner.scan(range)) {
        // A key whose bytes changed on disk stands in the wrong place, or fails its checksum.
        const order = before === null ? 1 : compareBytes(key, before);
        if (range.reverse && before !== null ? order >= 0 : order <= 0) {
          throw new CorruptStorage("its rows are out of order");
        }
        before = key;
        yield [key, openRow(key, stored).value];
      }
    } catch (error) {
      throw this.#noticed(error);
    }
  }

  #hashOf(key: Uint8Array): RowHash | null {
    if (this.#lastKey === null || !equalBytes(this.#lastKey, key)) this.get(key);
    return this.#lastHash;
  }

  #remember(key: Uint8Array, hash: RowHash | null): void {
    this.#lastKey = key.slice();
    this.#lastHash = hash;
  }

  #noticed(error: unknown): unknown {
    if (error instanceof CorruptStorage) this.#fatal(`the applied state is corrupt: ${error.message}`);
    return error;
  }
}

function openRow(
  key: Uint8Array,
  stored: Uint8Array,
): { readonly hash: RowHash; readonly value: Uint8Array } {
  if (stored.byteLength < header) throw new CorruptStorage("a row is shorter than its checksum");
  const value = stored.subarray(header);
  const hash = hashRow(key, value);
  if (u32At(stored, 0) !== hash.crc || u32At(stored, 4) !== hash.murmur) {
    throw new CorruptStorage("a row does not match its checksum");
  }
  return { hash, value };
}
