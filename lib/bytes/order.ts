// Byte strings in unsigned lexicographic order, as SQLite orders blobs.

/** Negative, zero or positive: a before, equal to, or after b. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.byteLength, b.byteLength);
  for (let at = 0; at < shared; at++) {
    const difference = a[at]! - b[at]!;
    if (difference !== 0) return difference;
  }
  return a.byteLength - b.byteLength;
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && compareBytes(a, b) === 0;
}

/** The smallest byte string greater than every one that begins with `prefix`; null when there is none (empty or all 0xFF). */
export function afterPrefix(prefix: Uint8Array): Uint8Array | null {
  let length = prefix.byteLength;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return null;
  const after = prefix.slice(0, length);
  after[length - 1] = after[length - 1]! + 1;
  return after;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}
