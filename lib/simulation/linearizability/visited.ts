// Which situations a search has been in: (operations in order, state, unknown operations used). One that was here
// with the same operations and state, and fewer unknown ones used up, could do everything the new one can.

/** A growing and shrinking set of small numbers with a cheap canonical form: the bits after the full words. */
export class OrderedSet {
  readonly #words: Int32Array;
  #firstOpenWord = 0;
  #lastWord = -1;

  constructor(size: number) {
    this.#words = new Int32Array((size >>> 5) + 1);
  }

  add(index: number): void {
    const word = index >>> 5;
    this.#words[word]! |= 1 << (index & 31);
    if (word > this.#lastWord) this.#lastWord = word;
    while (this.#words[this.#firstOpenWord] === -1) this.#firstOpenWord++;
  }

  delete(index: number): void {
    const word = index >>> 5;
    this.#words[word]! &= ~(1 << (index & 31));
    if (word < this.#firstOpenWord) this.#firstOpenWord = word;
    while (this.#lastWord >= 0 && this.#words[this.#lastWord] === 0) this.#lastWord--;
  }

  /** The words from the first one that is not full to the last that is not empty, after the first one's place. */
  window(): Int32Array {
    const window = new Int32Array(Math.max(1, this.#lastWord - this.#firstOpenWord + 2));
    window[0] = this.#firstOpenWord;
    for (let word = this.#firstOpenWord; word <= this.#lastWord; word++) {
      window[word - this.#firstOpenWord + 1] = this.#words[word]!;
    }
    return window;
  }
}

type Situation = {
  readonly window: Int32Array;
  readonly state: number;
  /** None contains another. */
  used: Int32Array[];
  readonly next: Situation | undefined;
};

export class Visited {
  readonly #buckets = new Map<number, Situation>();
  /** How many situations are kept, to bound memory by. */
  size = 0;

  /** False if a situation at least as good was here before. `used` must not be changed afterwards. */
  enter(window: Int32Array, state: number, used: Int32Array): boolean {
    const hash = hashOf(window, state);
    const bucket = this.#buckets.get(hash);
    for (let known = bucket; known !== undefined; known = known.next) {
      if (known.state !== state || !sameWords(known.window, window)) continue;
      if (known.used.some((set) => isSubset(set, used))) return false;
      const kept = known.used.filter((set) => !isSubset(used, set));
      this.size += kept.length + 1 - known.used.length;
      kept.push(used);
      known.used = kept;
      return true;
    }
    this.#buckets.set(hash, { window, state, used: [used], next: bucket });
    this.size++;
    return true;
  }
}

function hashOf(window: Int32Array, state: number): number {
  let hash = Math.imul(state + 1, 0x9e3779b1);
  for (const word of window) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash | 0;
}

function sameWords(left: Int32Array, right: Int32Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}

function isSubset(inner: Int32Array, outer: Int32Array): boolean {
  if (inner === outer) return true;
  for (let index = 0; index < inner.length; index++) if ((inner[index]! & ~outer[index]!) !== 0) return false;
  return true;
}
