// The history of a run as its clients saw it: an entry for each operation, or for each key of one that concerns several.
import type { Operation, Outcome } from "./linearizability/history.ts";
import { entryName, partsOf, type WorkloadOperation } from "./workload.ts";

/** How an operation ended: where it was answered, what the answer says of each of its parts. */
export type Ending<Query, Input, Output> = Outcome<
  (part: WorkloadOperation<Query, Input>) => Output | undefined
>;

/** What an answer says of one part. */
export type Seen<Query, Input, Output> = readonly [part: WorkloadOperation<Query, Input>, output: Output];

export class Chronicle<Query, Input, Output> {
  readonly history: Operation<Input, Output>[] = [];
  #step = 0;

  /** The next moment: calls and returns are in order, and no two at one. */
  step(): number {
    return ++this.#step;
  }

  /** What one client knows of an operation that it called at this moment; returns what the answer says. */
  record(
    client: string,
    id: string,
    operation: WorkloadOperation<Query, Input>,
    call: number,
    ending: Ending<Query, Input, Output>,
  ): Seen<Query, Input, Output>[] {
    const seen: Seen<Query, Input, Output>[] = [];
    for (const part of partsOf(operation)) {
      const { key, input } = part;
      const entry = {
        id: entryName(id, operation.parts === undefined ? null : key),
        client,
        key,
        input,
        call,
      };
      if (ending.type !== "ok") {
        this.history.push({ ...entry, outcome: ending });
        continue;
      }
      const output = ending.output(part);
      if (output === undefined) continue;
      seen.push([part, output]);
      this.history.push({ ...entry, outcome: { ...ending, output } });
    }
    return seen;
  }
}
