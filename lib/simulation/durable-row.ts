// What a row of a log says to those who watch from outside, straight from its bytes (lib/replica/log-codec.ts): every row of
// every node passes here, so nothing else of it is read.
import { type Configuration, decodeConfiguration } from "../raft/mod.ts";
import type { LogRow } from "../replica/ports.ts";

/** `chain` is the checksum over the entry and all before it. */
export type DurableRow = {
  readonly index: number;
  readonly term: number;
  readonly chain: number;
  /** Of an entry that brings one. */
  readonly configuration: Configuration | null;
};

/** The row was checked when it was made: what is wrong with it is found by those who read it for good. */
export function placeOfRow({ index, bytes }: LogRow): DurableRow {
  const chain = ((bytes[0]! | (bytes[1]! << 8) | (bytes[2]! << 16)) + bytes[3]! * 0x1000000) >>> 0;
  let at = 9;
  while (bytes[at]! >= 0x80) at++;
  at++;
  let term = 0;
  for (let scale = 1;; scale *= 0x80) {
    const byte = bytes[at++]!;
    term += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  const configuration = bytes[8] === 3 ? decodeConfiguration(bytes.subarray(at + 8)) : null;
  return { index, term, chain, configuration };
}
