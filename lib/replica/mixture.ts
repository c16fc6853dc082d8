// Whether log and state belong together: one of the two files may have been copied from elsewhere, or put back from an
// older copy. What the state has applied must be in the log, the same entry at the same index (Raft figure 3, log matching).
import type { AppliedState } from "./applied-state.ts";
import { mendState } from "./corruption.ts";
import type { DurableLog } from "./durable-log.ts";

/** What does not fit and how to mend it, as sentences; null = they are of one replica. Reads at most one entry. */
export function mixtureOf(
  log: Pick<DurableLog, "node" | "last" | "term">,
  state: Pick<AppliedState, "applied">,
): string | null {
  const { clusterId, appliedIndex, appliedTerm } = state.applied();
  const ofLog = log.node()?.clusterId ?? null;
  if (clusterId !== null && clusterId !== ofLog) {
    return `log.sqlite is of cluster ${ofLog ?? "none"}, state.sqlite of ${clusterId}. ${mendState}`;
  }
  const { index } = log.last();
  if (appliedIndex > index) {
    return `log.sqlite ends with entry ${index}, state.sqlite has applied entry ${appliedIndex}. ${mend}`;
  }
  const term = log.term(appliedIndex);
  if (term !== appliedTerm) {
    return `entry ${appliedIndex} is of term ${term} in log.sqlite, state.sqlite has applied it with term ` +
      `${appliedTerm}. ${mend}`;
  }
  return null;
}

/** A log that is older than its state has forgotten votes and acknowledgements, like a corrupt one. */
const mend =
  "They are of two data folders, or one is an older copy. If log.sqlite is the older one, put the newer back, " +
  "with its log.sqlite-wal and witness: this node must not vote with the older. If state.sqlite is the wrong one: " +
  `${mendState.charAt(0).toLowerCase()}${mendState.slice(1)}`;
