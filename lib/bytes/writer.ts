// Builds a byte string: little-endian integers, LEB128 varints, length-prefixed bytes and texts.

import { putU32 } from "./u32.ts";

const encoder = new TextEncoder();

/** For doubles: JavaScript's engines make a view's ArrayBuffer only when asked, and asking is slow. */
const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

export class ByteWriter {
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  constructor(capacity = 256) {
    this.#buffer = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    this.#room(1);
    this.#buffer[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    putU32(this.#buffer, this.#length, value);
    this.#length += 4;
    return this;
  }

  f64(value: number): this {
    this.#room(8);
    double[0] = value;
    this.#buffer.set(doubleBytes, this.#length);
    this.#length += 8;
    return this;
  }

  /** A whole number from 0 to 2^53 − 1. */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not a whole number ≥ 0: ${value}`);
    this.#room(8);
    while (value >= 0x80) {
      this.#buffer[this.#length++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.#buffer[this.#length++] = value;
    return this;
  }

  boolean(value: boolean): this {
    return this.u8(value ? 1 : 0);
  }

  /** The bytes alone, without their length. */
  raw(bytes: Uint8Array): this {
    this.#room(bytes.byteLength);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.byteLength;
    return this;
  }

  /** A varint of their number, then the bytes. */
  bytes(bytes: Uint8Array): this {
    return this.varint(bytes.byteLength).raw(bytes);
  }

  /** UTF-8 with its length in front. */
  text(text: string): this {
    return this.bytes(encoder.encode(text));
  }

  /** A copy of what was written; the writer can go on. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length);
  }

  /** What was written, without a copy: good until the next write or reset. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  #room(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.byteLength) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.byteLength * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
