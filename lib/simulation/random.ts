// Seeded chance (sfc32). Every part of the world draws from a fork with a name of its own, so that taking a part out
// (as shrinking does) leaves the draws of all others as they were.

export type RandomSource = {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform whole number in [from, to), to > from. */
  integer(from: number, to: number): number;
  /** Uniform in [from, to). */
  between(from: number, to: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** Exponentially distributed with this mean. */
  exponential(mean: number): number;
  /** One of the items; there is at least one. */
  pick<T>(items: readonly T[]): T;
  /** A new array in another order. */
  shuffle<T>(items: readonly T[]): T[];
  /** An independent source that depends on the seed and the names on the way only, not on what was drawn. */
  fork(name: string): RandomSource;
};

/** The source that `seed` names; any whole number. */
export function seededRandom(seed: number): RandomSource {
  return fromName(String(seed));
}

function fromName(name: string): RandomSource {
  const next = sfc32(hash(name, 1), hash(name, 2), hash(name, 3), hash(name, 4));
  const source: RandomSource = {
    next,
    integer: (from, to) => from + Math.floor(next() * (to - from)),
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    exponential: (mean) => -mean * Math.log(1 - next()),
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)];
      if (item === undefined) throw new Error("nothing to pick from");
      return item;
    },
    shuffle: (items) => {
      const mixed = [...items];
      for (let at = mixed.length - 1; at > 0; at--) {
        const other = Math.floor(next() * (at + 1));
        [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
      }
      return mixed;
    },
    fork: (child) => fromName(`${name}/${child}`),
  };
  return source;
}

/** FNV-1a over the text, then a finaliser (murmur3) that spreads small differences. */
function hash(text: string, salt: number): number {
  let value = 0x811c9dc5 ^ Math.imul(salt, 0x9e3779b9);
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) | 0;
}

/** Small fast counter generator by Chris Doty-Humphrey (PractRand). */
function sfc32(a: number, b: number, c: number, d: number): () => number {
  const next = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let round = 0; round < 15; round++) next();
  return next;
}
