// Clocks, timers and chance as they really are.
import { customAlphabet } from "nanoid";
import type { Clock, Random, Scheduler } from "../replica/ports.ts";

export const clock: Clock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
};

export const scheduler: Scheduler = {
  after(ms, task) {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
  defer(task) {
    setImmediate(task);
  },
};

/** 53 bits from the system's generator: election timeouts of nodes that start together must not fall together. */
export const random: Random = () => {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
};

/** Incarnations, nonces, ids that nobody chose: letters and digits alone, since ids stand in URLs and log lines. */
export const word: (length: number) => string = customAlphabet(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
);
