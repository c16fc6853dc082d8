// Judges a run's history when it is over: every operation that was answered, checked for linearizability.
import type { Violation } from "./invariants.ts";
import type { Ledger } from "./ledger.ts";
import { checkHistory } from "./linearizability/checker.ts";
import { explain, explanationText } from "./linearizability/explain.ts";
import type { Operation } from "./linearizability/history.ts";
import type { Model } from "./linearizability/model.ts";
import { operationOfEntry } from "./workload.ts";

export type Judgement = { readonly violation: Violation | null; readonly explanation: string | null };

const maxSteps = 5_000_000;

/**
 * Operations of unknown ending that no log holds are left out: once a healed core has applied all it has, they never
 * happened, and a read that saw one would fit no order at all.
 */
export function judge<State, Input, Output>(
  model: Model<State, Input, Output> | undefined,
  history: readonly Operation<Input, Output>[],
  ledger: Ledger,
): Judgement {
  if (model === undefined) return { violation: null, explanation: null };
  const possible = history.filter(({ id, outcome }) =>
    outcome.type === "ok" ||
    (outcome.type === "unknown" && ledger.indexOf(operationOfEntry(id)) !== undefined)
  );
  const verdict = checkHistory(model, possible, { maxSteps });
  if (verdict.type === "linearizable") return { violation: null, explanation: null };
  const keys = verdict.partitions.filter(({ type }) => type === verdict.type).map(({ key }) => key);
  const detail = verdict.type === "undecided"
    ? `the history of ${keys.join(", ")} could not be decided in ${maxSteps} steps`
    : `the history of ${keys.join(", ")} has no order that explains it`;
  const explanation = explain(model, verdict).map(explanationText).join("\n");
  return { violation: { invariant: "Linearizability", detail }, explanation: explanation || null };
}
