// How much one frame may unfold to: a byte or two can stand for a whole object, so that objects are counted, not bytes.
import { MalformedBytes } from "../bytes/mod.ts";

/** Messages, entries and names in one frame. */
export const maxFrameItems = 2 ** 17;

/** What is left of it while a frame is read. */
export type Budget = { items: number };

export function spend(budget: Budget, items: number): void {
  budget.items -= items;
  if (budget.items < 0) {
    throw new MalformedBytes(`a frame of more than ${maxFrameItems} messages and entries`);
  }
}
