// What faults hold on one thing (a process that stands still, a clock's rate, the weather), each until its own end. The thing
// follows from all that is held just now: faults of one kind may overlap, and end in any order.

export type Release = () => void;

export class Holds<T> {
  #held: { readonly value: T }[] = [];
  readonly #changed: (values: readonly T[]) => void;

  /** `changed` is told of everything that is held, the oldest first, whenever that changes. */
  constructor(changed: (values: readonly T[]) => void = () => {}) {
    this.#changed = changed;
  }

  get any(): boolean {
    return this.#held.length > 0;
  }

  /** Until the returned function is called; calling it again changes nothing. */
  hold(value: T): Release {
    const one = { value };
    this.#held.push(one);
    this.#tell();
    return () => {
      const left = this.#held.filter((other) => other !== one);
      if (left.length === this.#held.length) return;
      this.#held = left;
      this.#tell();
    };
  }

  /** Nothing is held any more; what is released later was released here. */
  clear(): void {
    if (!this.any) return;
    this.#held = [];
    this.#tell();
  }

  #tell(): void {
    this.#changed(this.#held.map(({ value }) => value));
  }
}
