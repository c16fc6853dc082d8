// Permission to look at the local state, and which revision it will be.
import type { Consistency } from "../replica/api.ts";
import { refusalProblem } from "./ending.ts";
import { type Checked, good } from "./problem.ts";
import type { Services } from "./services.ts";

export type ReadPosition = {
  readonly index: number;
  readonly term: number;
  /** Of a stale read only: how old what it shows may be; null = nobody knows. */
  readonly stalenessMs?: number | null;
};

/** Waits until the state may be read; query in the same turn. A read that cannot be confirmed is a 503. */
export async function permitRead(
  { replica, lastApplied }: Services,
  consistency: Consistency,
  timeoutMs: number,
): Promise<Checked<ReadPosition>> {
  const permit = await replica.read(consistency, { timeoutMs });
  if (!permit.ok) return { ok: false, problem: refusalProblem(permit.reason) };
  // Between the permission and this line more may have been applied, in the same turn: what will be read is that.
  const applied = lastApplied();
  const { index, term } = applied !== null && applied.index > permit.index ? applied : permit;
  return good(
    consistency.type === "stale" ? { index, term, stalenessMs: permit.stalenessMs } : { index, term },
  );
}
