// From what people or joining nodes ask for to the voters and learners to reach, and what speaks against it. Pure
// arithmetic on names; nothing here knows the time.
import {
  type Configuration,
  type ConfigurationAt,
  idOf,
  majority,
  members,
  type ReplicaId,
  replicaId,
} from "../raft/mod.ts";
import type { AdminRefusal, AdminRequest, MemberRole } from "./membership-messages.ts";

export type Plan = { readonly voters: readonly ReplicaId[]; readonly learners: readonly ReplicaId[] };

export type Planned =
  | { readonly ok: true; readonly plan: Plan }
  | { readonly ok: false; readonly reason: AdminRefusal; readonly detail: string };

/** Members with this name: an id may have two, the incarnation that was lost and the one that takes its place. */
export function membersCalled(configuration: Configuration, name: string): ReplicaId[] {
  return members(configuration).filter((replica) => replica === name || idOf(replica) === name);
}

export function isMemberCalled(configuration: Configuration, name: string): boolean {
  return membersCalled(configuration, name).length > 0;
}

/** Nobody goes by itself (on exit, or for being dead) below so many voters: with two, each is needed. */
export const fewestVoters = 3;

/** Without everybody of this name. `leavesAtLeast`: a voter goes only where so many stay. */
export function planRemoval(
  { voters, learners }: Configuration,
  name: string,
  leavesAtLeast = 1,
): Planned {
  const stays = (replica: ReplicaId) => replica !== name && idOf(replica) !== name;
  const plan = { voters: voters.filter(stays), learners: learners.filter(stays) };
  if (plan.voters.length === 0) {
    return refuse("conflict", `${name} is the only voter: a cluster without voters would be no cluster`);
  }
  if (plan.voters.length === voters.length && plan.learners.length === learners.length) {
    return refuse("not_found", `${name} is no member; GET /v1/cluster lists them`);
  }
  if (plan.voters.length < voters.length && plan.voters.length < leavesAtLeast) {
    return refuse(
      "conflict",
      `only ${plan.voters.length} voters would stay: fewer than ${leavesAtLeast} are not left behind`,
    );
  }
  return { ok: true, plan };
}

/**
 * Exactly these. Whoever is no member yet has to join first: new nodes enter as learners. An id that has two incarnations
 * keeps the one that is being brought up to take the other's place.
 */
export function planConfiguration(
  { index, configuration }: ConfigurationAt,
  request: Extract<AdminRequest, { type: "configure" }>,
  isLive: (replica: ReplicaId) => boolean,
): Planned {
  const { ifIndex } = request;
  if (ifIndex !== null && ifIndex !== index) {
    return refuse("changed", `the configuration is that of index ${index} by now, not of ${ifIndex}`);
  }
  if (request.voters.length === 0) return refuse("invalid", "a cluster needs a voter");
  const named = [...request.voters, ...request.learners];
  if (new Set(named).size !== named.length) return refuse("invalid", "a member is named twice");
  const strangers = named.filter((name) => !isMemberCalled(configuration, name));
  if (strangers.length > 0) {
    const detail = `${strangers.join(", ")}: no member yet; a new node enters as a learner first (--join)`;
    return refuse("invalid", detail);
  }
  const resolve = (name: string) => theOneMeant(configuration, name, isLive);
  const voters = request.voters.map(resolve);
  const learners = request.learners.map(resolve);
  // Who names an id does not mean to throw out the one that is just coming back under it.
  const returning = configuration.learners.filter((replica) =>
    named.includes(idOf(replica)) && !voters.includes(replica) && !learners.includes(replica)
  );
  return { ok: true, plan: { voters, learners: [...learners, ...returning] } };
}

/** Of two incarnations the one that lives, else the one that votes. */
function theOneMeant(
  configuration: Configuration,
  name: string,
  isLive: (replica: ReplicaId) => boolean,
): ReplicaId {
  const called = membersCalled(configuration, name);
  return called.find((replica) => replica === name) ?? called.find(isLive) ?? called[0] ?? name;
}

export type PlannedAddition =
  | Exclude<Planned, { ok: true }>
  | (Extract<Planned, { ok: true }> & { readonly newcomer: ReplicaId | null });

/** A newcomer that can be reached enters as a learner; a member becomes what it is to be. `trouble`: why its URL cannot be reached. */
export function planAddition(
  configuration: Configuration,
  { id, url, incarnation, role }: Extract<AdminRequest, { type: "add" }>,
  reachable: readonly ReplicaId[],
  trouble: string | null = null,
): PlannedAddition {
  const named = (replica: ReplicaId) =>
    idOf(replica) === id && (incarnation === null || replica === replicaId(id, incarnation));
  const { voters, learners } = configuration;
  const candidates = reachable.filter(named);
  const member = candidates.find((replica) => members(configuration).includes(replica));
  // A voter that is to be a learner need not answer for that.
  const silent = candidates.length === 0 ? voters.find(named) : undefined;
  if (role === "learner" && (member ?? silent) !== undefined) {
    return planDemotion(configuration, member ?? silent ?? "");
  }
  if (member !== undefined) {
    const plan = voters.includes(member) ? { voters, learners } : planRole(configuration, member, "voter");
    return { ok: true, plan, newcomer: null };
  }
  const [newcomer] = candidates;
  if (newcomer === undefined) {
    const where = url === null ? "" : ` at ${url}${trouble === null ? "" : ` (${trouble})`}`;
    return refuse("unavailable", `nobody called ${id} answers${where}: start it with --join`);
  }
  return { ok: true, plan: planEntry(configuration, newcomer), newcomer };
}

function planDemotion(configuration: Configuration, member: ReplicaId): PlannedAddition {
  const { voters, learners } = configuration;
  const votes = voters.includes(member);
  if (votes && voters.length === 1) {
    return refuse(
      "conflict",
      `${idOf(member)} is the only voter: a cluster without voters would be no cluster`,
    );
  }
  const plan = votes ? planRole(configuration, member, "learner") : { voters, learners };
  return { ok: true, plan, newcomer: null };
}

/** A newcomer as learner; learners that are older incarnations of it go. A voter that is one stays until it is replaced. */
export function planEntry({ voters, learners }: Configuration, newcomer: ReplicaId): Plan {
  const others = learners.filter((replica) => idOf(replica) !== idOf(newcomer));
  return { voters, learners: [...others, newcomer] };
}

/** A member in its role, in one step in the place of all other incarnations of its id. */
export function planRole({ voters, learners }: Configuration, replica: ReplicaId, role: MemberRole): Plan {
  const others = (list: readonly ReplicaId[]) => list.filter((other) => idOf(other) !== idOf(replica));
  return role === "voter"
    ? { voters: [...others(voters), replica], learners: others(learners) }
    : { voters: others(voters), learners: [...others(learners), replica] };
}

/** Whether a majority of the new voters is alive: without one nothing would ever be committed again. */
export function hasLiveQuorum({ voters }: Plan, isLive: (replica: ReplicaId) => boolean): boolean {
  return voters.filter(isLive).length >= majority(voters.length);
}

export function samePlan({ voters, learners }: Plan, configuration: Configuration): boolean {
  return sameList(voters, configuration.voters) && sameList(learners, configuration.learners);
}

function sameList(a: readonly ReplicaId[], b: readonly ReplicaId[]): boolean {
  return [...a].sort().join("\n") === [...b].sort().join("\n");
}

export function refuse(reason: AdminRefusal, detail: string): Extract<Planned, { ok: false }> {
  return { ok: false, reason, detail };
}
