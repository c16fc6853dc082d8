// --leave-on-exit: out of the cluster before the process ends, as far as that goes in a few seconds.
import type { LocalIdentity } from "../replica/identity.ts";
import { fewestVoters } from "../replica/plan.ts";
import type { Log } from "../replica/ports.ts";
import type { Replica } from "../replica/replica.ts";

const leaveMs = 3_000;

/**
 * Never below a safe number of voters: then it stays a member, and says so. Who has left knows it durably, since its next
 * start must not take it for a member.
 */
export async function leave(
  replica: Pick<Replica, "administer" | "status">,
  identity: LocalIdentity,
  log: Log,
): Promise<void> {
  if (identity.out !== null) return;
  const { replica: id } = replica.status();
  const request = { type: "remove", id, force: false, leavesAtLeast: fewestVoters } as const;
  const left = await replica.administer(request, { timeoutMs: leaveMs });
  if (!left.ok) return log("warning", `stays a member of the cluster: ${left.detail}`);
  const error = await new Promise<Error | null>((resolve) => identity.save({ removed: true }, resolve));
  if (error !== null) log("error", `left the cluster, and cannot write that down: ${error.message}`);
  else log("info", "left the cluster");
}
