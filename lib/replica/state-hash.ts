// A hash of a set of rows that does not depend on the order in which they were written: two sums (mod 2^32) of two
// unrelated 32-bit hashes of each row. A row's two hashes are stored with it, so that replacing or removing it takes
// only those eight bytes away again; they are its checksum as well.
import { crc32 } from "../bytes/mod.ts";

/** Both lanes of one row: the CRC-32 of length, key and value, and a MurmurHash3 of the same. */
export type RowHash = { readonly crc: number; readonly murmur: number };

export class StateHash {
  #crc = 0;
  #murmur = 0;

  /** Takes up what `toString` gave; throws a SyntaxError on anything else. */
  static parse(text: string): StateHash {
    if (!/^[0-9a-f]{16}$/.test(text)) throw new SyntaxError(`not a state hash: ${text}`);
    const hash = new StateHash();
    hash.#crc = parseInt(text.slice(0, 8), 16);
    hash.#murmur = parseInt(text.slice(8), 16);
    return hash;
  }

  add(row: RowHash): void {
    this.#crc = (this.#crc + row.crc) >>> 0;
    this.#murmur = (this.#murmur + row.murmur) >>> 0;
  }

  remove(row: RowHash): void {
    this.#crc = (this.#crc - row.crc) >>> 0;
    this.#murmur = (this.#murmur - row.murmur) >>> 0;
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return this.#crc.toString(16).padStart(8, "0") + this.#murmur.toString(16).padStart(8, "0");
  }
}

export function hashRow(key: Uint8Array, value: Uint8Array): RowHash {
  const length = key.byteLength >>> 0;
  return { crc: crc32(value, crc32(key, length)), murmur: murmur3(value, murmur3(key, length)) };
}

/** MurmurHash3 x86 32-bit (public domain, Austin Appleby). */
function murmur3(bytes: Uint8Array, seed: number): number {
  let hash = seed | 0;
  const whole = bytes.byteLength & ~3;
  for (let at = 0; at < whole; at += 4) {
    const word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    hash ^= scramble(word);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let at = bytes.byteLength - 1; at >= whole; at--) rest = (rest << 8) | bytes[at]!;
  hash ^= scramble(rest) ^ bytes.byteLength;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
