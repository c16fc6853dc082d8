// What `coracle replace OLD NEW` asks for: one joint change in which the new one takes over the old one's part. It is made
// from the configuration as it was read, and asked for only from that (If-Match), so that it undoes nobody else's change.
import type { Cluster } from "../client/mod.ts";
import { Failure } from "./failure.ts";

export type Replacement = {
  /** The configuration that it is made from; null = not known. */
  readonly index: number | null;
  readonly voters: readonly string[];
  readonly learners: readonly string[];
};

type Member = Cluster["members"][number];

/** Throws a Failure where one of them is no member. */
export function replacement({ configuration, members }: Cluster, old: string, by: string): Replacement {
  const called = (name: string) =>
    members.filter((member) => fullName(member) === name || member.id === name);
  const leaving = called(old);
  if (leaving.length === 0) throw new Failure(`${old} is no member (not_found)`);
  const next = oneOf(called(by), by, leaving);
  if (next === null) {
    throw new Failure(`${by} is no member yet: start it with --join, and replace ${old} when it is one`);
  }
  const votes = [...leaving, next].some(({ role }) => role === "voter");
  const others = members.filter((member) => member !== next && !leaving.includes(member));
  const named = (role: string) => others.filter((member) => member.role === role).map(fullName);
  return {
    index: configuration?.index ?? null,
    voters: [...named("voter"), ...votes ? [fullName(next)] : []],
    learners: [...named("learner"), ...votes ? [] : [fullName(next)]],
  };
}

/** With its incarnation: a node that lost its disk is there twice under one id until its new incarnation votes. */
function fullName({ id, incarnation }: Member): string {
  return incarnation === null || incarnation === "" ? id : `${id}~${incarnation}`;
}

function oneOf(candidates: readonly Member[], name: string, leaving: readonly Member[]): Member | null {
  const staying = candidates.filter((member) => !leaving.includes(member));
  return candidates.find((member) => fullName(member) === name) ??
    staying.find(({ healthy }) => healthy === true) ?? staying[0] ?? null;
}
