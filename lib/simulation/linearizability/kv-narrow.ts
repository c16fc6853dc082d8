// Makes a key's history cheaper to decide without changing the answer: values that nobody saw become one and
// the same value, and unknown writes that nobody can have seen are left out.
import type { Operation } from "./history.ts";
import type { KvInput, KvOutput } from "./kv-model.ts";

type KvOperation = Operation<KvInput, KvOutput>;

/** No canonical JSON text starts like this, so it equals no value of the history. */
const UNSEEN = "?unseen";

/**
 * Why this is sound. *Renaming*: a value that no get returned and no compare-and-swap names is only ever compared
 * with others, and differs from all of them under either name. *Leaving out* an unknown plain put of such a value:
 * take any order that contains it, and remove it there. What stood between it and the next write saw neither the
 * value nor its revision, but could have seen that the key was *there*, or *not* another value or revision: an
 * answer "refused", "deleted 1" or "changed", or a condition on a revision that is not otherwise accounted for.
 * Only where the key's history has none of those is it left out.
 */
export function narrowKv(operations: readonly KvOperation[]): readonly KvOperation[] {
  const seen = seenValues(operations);
  const droppable = !operations.some(seesPresence) && !hasStrangeCondition(operations);
  const narrowed: KvOperation[] = [];
  for (const operation of operations) {
    const { input, outcome } = operation;
    if (input.type === "put" && !seen.has(input.value)) {
      const plain = input.ifAbsent === undefined && input.ifRevision === undefined;
      if (outcome.type === "unknown" && plain && droppable) continue;
      narrowed.push({ ...operation, input: { ...input, value: UNSEEN } });
    } else if (input.type === "cas" && !seen.has(input.to)) {
      narrowed.push({ ...operation, input: { ...input, to: UNSEEN } });
    } else {
      narrowed.push(operation);
    }
  }
  return narrowed;
}

/** Everything that a value is ever compared with. */
export function seenValues(operations: readonly KvOperation[]): Set<string> {
  const seen = new Set<string>();
  for (const { input, outcome } of operations) {
    if (input.type === "cas") seen.add(input.from);
    if (outcome.type === "ok" && outcome.output.type === "value" && outcome.output.value !== null) {
      seen.add(outcome.output.value);
    }
  }
  return seen;
}

function seesPresence({ input, outcome }: KvOperation): boolean {
  if (outcome.type !== "ok") return false;
  const { output } = outcome;
  if (output.type === "written") return output.created === false;
  if (output.type === "deleted") {
    return output.deleted === 1 || (input.type === "delete" && input.ifRevision !== undefined);
  }
  return output.type === "mismatch";
}

/** Is there a condition on a revision that no answer gave to a known value? */
function hasStrangeCondition(operations: readonly KvOperation[]): boolean {
  const known = new Set<number>();
  for (const { outcome } of operations) {
    if (outcome.type !== "ok") continue;
    const { output } = outcome;
    if ((output.type === "value" || output.type === "written") && output.revision !== undefined) {
      known.add(output.revision);
    }
  }
  return operations.some(({ input }) =>
    (input.type === "put" || input.type === "delete") && input.ifRevision !== undefined &&
    !known.has(input.ifRevision)
  );
}
