// Configurations by the index that brought them: in force on append, rolled back when the entry is cut off (Raft §6).
import type { Configuration, ConfigurationAt } from "./configuration.ts";

export class ConfigurationHistory {
  /** Ascending by index; the first is the base and never leaves. */
  #entries: ConfigurationAt[];
  #changed = false;

  constructor(entries: readonly ConfigurationAt[]) {
    this.#entries = [...entries];
  }

  get latest(): ConfigurationAt {
    const latest = this.#entries.at(-1);
    if (latest === undefined) throw new Error("a configuration history without a base");
    return latest;
  }

  all(): readonly ConfigurationAt[] {
    return this.#entries;
  }

  append(index: number, configuration: Configuration): void {
    this.#entries.push({ index, configuration });
    this.#changed = true;
  }

  /** Forgets what entries from `index` on had brought. */
  truncateFrom(index: number): void {
    const kept = this.#entries.filter((entry, at) => at === 0 || entry.index < index);
    if (kept.length === this.#entries.length) return;
    this.#entries = kept;
    this.#changed = true;
  }

  /** Lets go of what was superseded by a committed configuration. */
  forgetBefore(commitIndex: number): void {
    let base = 0;
    while (base + 1 < this.#entries.length && this.#entries[base + 1]!.index <= commitIndex) base++;
    if (base === 0) return;
    this.#entries = this.#entries.slice(base);
    this.#changed = true;
  }

  /** The list if it changed since the last call. */
  takeChange(): readonly ConfigurationAt[] | null {
    if (!this.#changed) return null;
    this.#changed = false;
    return [...this.#entries];
  }
}
