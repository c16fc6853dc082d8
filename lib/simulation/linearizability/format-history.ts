// A history as the file that `coracle check` reads: one operation a line.
import type { History } from "./history.ts";
import type { FileModel } from "./model.ts";

/** JSON lines; parse-history.ts reads them back. */
export function formatHistory<State, Input, Output>(
  model: FileModel<State, Input, Output>,
  history: History<Input, Output>,
): string {
  return history.map(({ id, client, key, call, ...operation }) => {
    const { type } = operation.outcome;
    const result = operation.outcome.type === "ok" ? operation.outcome.output : undefined;
    const { input, output } = model.encode(operation.input, result);
    const end = operation.outcome.type === "unknown" ? null : operation.outcome.return;
    return JSON.stringify({ id, client, key, input, call, return: end, outcome: type, output }) + "\n";
  }).join("");
}
