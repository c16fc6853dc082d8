// Reads what ByteWriter wrote. Whatever the bytes are, it either returns a value or throws MalformedBytes: never
// reads past the end, never allocates more than it was given.

import { u32At } from "./u32.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** For doubles; see writer.ts. Little-endian like every machine that this runs on. */
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** The bytes are not what the reader was told to expect. */
export class MalformedBytes extends Error {
  override name = "MalformedBytes";
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.byteLength - this.#offset;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  u32(): number {
    return u32At(this.#bytes, this.#take(4));
  }

  f64(): number {
    const at = this.#take(8);
    doubleBytes.set(this.#bytes.subarray(at, at + 8));
    return double[0] ?? 0;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBytes("a number above 2^53 − 1");
      if (byte < 0x80) return value;
      scale *= 0x80;
      if (scale > 2 ** 49) throw new MalformedBytes("a number of more than eight bytes");
    }
  }

  boolean(): boolean {
    const byte = this.u8();
    if (byte > 1) throw new MalformedBytes(`neither false nor true: ${byte}`);
    return byte === 1;
  }

  /** The next `length` bytes: a view into what was given, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Bytes with their length in front: a view, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  text(): string {
    const bytes = this.bytes();
    try {
      return decoder.decode(bytes);
    } catch {
      throw new MalformedBytes("a text that is not UTF-8");
    }
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining > 0) throw new MalformedBytes(`${this.remaining} bytes too many`);
  }

  #take(length: number): number {
    if (length > this.remaining) throw new MalformedBytes(`ends ${length - this.remaining} bytes early`);
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}
