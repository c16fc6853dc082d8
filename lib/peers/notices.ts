// Log lines about the outside world, which may be as noisy as it likes: the same thing of the same address is said once
// in ten seconds, with a count of what was left out.
import type { Clock, Log, LogLevel } from "../replica/ports.ts";

const quietMs = 10_000;
const maxRemembered = 1_000;

export class Notices {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #said = new Map<string, { at: number; leftOut: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  say(level: LogLevel, about: string, code: string, sentence: string): void {
    const now = this.#clock.monotonic();
    const key = `${about} ${code}`;
    const before = this.#said.get(key);
    if (before !== undefined && now - before.at < quietMs) {
      before.leftOut += 1;
      return;
    }
    // Many strangers must not fill the memory; forgetting them costs a line at worst.
    if (this.#said.size >= maxRemembered) this.#said.clear();
    this.#said.set(key, { at: now, leftOut: 0 });
    const leftOut = before?.leftOut ?? 0;
    this.#log(level, sentence, { address: about, code, ...(leftOut > 0 ? { leftOut } : {}) });
  }
}
