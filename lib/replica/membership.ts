// The leader's part in changing the members (Raft §6, diss. ch. 4): nodes that ask to be let in, people's changes, and
// members that have been dead for long, one change at a time. The core goes through the joint phase and leaves it; all that
// is kept here may be lost with the leader, since whoever wants something asks again.
import {
  type ConfigurationAt,
  idOf,
  isMember,
  isVoter,
  members,
  type Position,
  type RaftStatus,
  type ReplicaId,
  type Result,
} from "../raft/mod.ts";
import type { AdminOutcome, AdminRequest, JoinOutcome, MemberRole } from "./membership-messages.ts";
import { bringUpSentence, type BringUpStatus } from "./bring-up.ts";
import { type Applicant, Applicants } from "./applicants.ts";
import { Changes, type ChangeStatus } from "./changes.ts";
import { isKeepingUp, longDead, urlsOfMembers } from "./member-health.ts";
import { Newcomers } from "./newcomers.ts";
import { hasLiveQuorum, type Plan, planEntry, planRole } from "./plan.ts";
import type { Links, Log } from "./ports.ts";
import { Rivals } from "./rivals.ts";

export type MembershipOptions = {
  readonly self: ReplicaId;
  readonly clusterId: () => string;
  readonly record: () => readonly ReplicaId[];
  readonly links: Links;
  readonly log: Log;
  readonly electionMs: number;
  /** Members that nobody has heard of for so long are removed, ms; null = never. */
  readonly removeDeadAfterMs: number | null;
  readonly status: () => RaftStatus;
  readonly termAt: (index: number) => number;
  readonly propose: (plan: Plan) => Result<Position>;
  readonly transfer: (to: ReplicaId | null) => Result<ReplicaId>;
  /** Tells a member that it is about to be removed. */
  readonly depart: (replica: ReplicaId) => void;
  readonly reply: (to: ReplicaId, outcome: JoinOutcome) => void;
};

export type MembershipPicture = {
  readonly bringUps: readonly (BringUpStatus & { readonly replica: ReplicaId })[];
  readonly changes: readonly ChangeStatus[];
  readonly applicants: readonly Applicant[];
};

/** How often it looks when nobody wants anything. */
const slowMs = 500;
/** The oldest are forgotten first. */
const maxExpelled = 1024;

export class Membership {
  readonly #options: MembershipOptions;
  readonly #newcomers = new Newcomers();
  readonly #applicants = new Applicants();
  /** Roles that people gave to nodes that may not know it yet. */
  readonly #offered = new Map<ReplicaId, MemberRole>();
  /** Were members and are none any more: what they still ask for, perhaps since before, does not undo it. */
  readonly #expelled = new Set<ReplicaId>();
  /** The last committed configuration that was looked at. */
  #seen: ConfigurationAt | null = null;
  readonly #rivals = new Rivals();
  readonly #changes: Changes;
  #leadsSince: number | null = null;
  #leaderlessSince: number | null = null;
  #lookedAt = -Infinity;

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#changes = new Changes({
      ...options,
      isLive: (status, replica) => this.#isLive(status, replica),
      offer: (replica, role) => void this.#offered.set(replica, role),
      wasRemoved: (replica) => this.#expelled.has(replica),
    });
  }

  get leads(): boolean {
    return this.#options.status().role === "leader";
  }

  /** A node asks to be let in; the answer goes out at once, and is asked for again. */
  join(from: ReplicaId, role: MemberRole, now: number): void {
    const status = this.#options.status();
    this.#noticeDepartures(status);
    const outcome = this.#rival(status, from, now) ?? this.#hear(status, from, role, now);
    this.#applicants.heard(from, role, outcome, now);
    this.#options.reply(from, outcome);
  }

  /** Members that the configurations seen here had and no longer have, on whoever leads next too: its log says so. */
  #noticeDepartures({ configuration, configurationUncommitted }: RaftStatus): void {
    if (configurationUncommitted || configuration.index === this.#seen?.index) return;
    const now = members(configuration.configuration);
    for (const replica of this.#seen === null ? [] : members(this.#seen.configuration)) {
      if (now.includes(replica)) continue;
      this.#newcomers.forget(replica);
      this.#expelled.add(replica);
    }
    this.#seen = configuration;
    for (const oldest of this.#expelled) {
      if (this.#expelled.size <= maxExpelled) break;
      this.#expelled.delete(oldest);
    }
  }

  #hear(status: RaftStatus, from: ReplicaId, role: MemberRole, now: number): JoinOutcome {
    if (status.role !== "leader") {
      const attested = this.#attest(status, from);
      if (attested !== null) return attested;
      const urls = urlsOfMembers(status, this.#options.links);
      return { type: "elsewhere", leaderId: status.leaderId, urls };
    }
    this.#newcomers.asked(from, role, now);
    return this.#consider(status, from, role, now);
  }

  /** People's change, on the leader. `done` is called once. */
  ask(request: AdminRequest, deadline: number, done: (outcome: AdminOutcome) => void): void {
    this.#changes.ask(request, deadline, done);
  }

  /** A member that was told to depart has so many writes under way. */
  departing(replica: ReplicaId, underWay: number, now: number): void {
    this.#changes.departing(replica, underWay, now);
  }

  /** What is going on, for people. */
  picture(now: number): MembershipPicture {
    return {
      bringUps: this.#newcomers.all(now),
      changes: this.#changes.all(),
      applicants: this.#applicants.all(now),
    };
  }

  tick(now: number): void {
    const slow = now - this.#lookedAt >= slowMs;
    if (!slow && this.#changes.isIdle && this.#newcomers.isEmpty) return;
    if (slow) this.#lookedAt = now;
    const status = this.#options.status();
    this.#noticeDepartures(status);
    this.#changes.tick(status, now);
    if (status.role !== "leader") {
      if (slow) this.#attestAll(status, now);
      return this.#stepDown();
    }
    this.#leadsSince ??= now;
    this.#leaderlessSince = null;
    this.#newcomers.look(status, now, this.#options.electionMs);
    for (const [replica, role] of this.#newcomers.wishes()) this.#consider(status, replica, role, now);
    if (!slow) return;
    this.#offer(status);
    this.#removeDead(status, now);
  }

  // ---- nodes that ask ----

  #consider(status: RaftStatus, replica: ReplicaId, role: MemberRole, now: number): JoinOutcome {
    const { configuration } = status.configuration;
    if (isMember(configuration, replica)) return this.#further(status, replica, role, now);
    if (this.#expelled.has(replica)) return { type: "refused", why: "it was removed: --rejoin enters anew" };
    const rival = this.#rival(status, replica, now);
    if (rival !== null) return rival;
    return this.#propose(planEntry(configuration, replica), `${replica} enters as a learner`);
  }

  /** Any member can say that an id is taken: the one that has it may be out of the newcomer's reach. */
  #rival(
    { configuration: { configuration } }: RaftStatus,
    replica: ReplicaId,
    now: number,
  ): JoinOutcome | null {
    if (isMember(configuration, replica)) return null;
    const id = idOf(replica);
    const verdicts = members(configuration).filter((other) => idOf(other) === id).map((rival) =>
      this.#rivals.judge(replica, rival, this.#heardMs(rival), now)
    );
    if (verdicts.every((verdict) => verdict === "enter")) return null;
    const taken = verdicts.includes("taken");
    if (taken) this.#newcomers.forget(replica);
    const why = taken
      ? `a living member calls itself ${id} already: give this node another id, ` +
        `or stop that one, remove it (coracle remove ${id}) and start this one again`
      : `a member calls itself ${id} already: it has a moment to show whether it lives`;
    return { type: "refused", why, ...taken ? { taken } : {} };
  }

  /** A member that is not yet what it wants to be. */
  #further(status: RaftStatus, replica: ReplicaId, role: MemberRole, now: number): JoinOutcome {
    if (status.configurationUncommitted) return { type: "wait", why: "a change of the members is under way" };
    const { index, configuration } = status.configuration;
    const bringUp = this.#newcomers.status(replica, now);
    const done = isVoter(configuration, replica) ||
      role === "learner" && !this.#hasTwin(configuration, replica);
    const caughtUp = isVoter(configuration, replica) || bringUp?.caughtUp === true;
    // A learner has to be told that it has caught up, when it asks next; it is forgotten when it asks no more.
    if (isVoter(configuration, replica)) this.#newcomers.forget(replica);
    let progress = done && caughtUp
      ? ""
      : bringUp === null
      ? "is being brought up"
      : bringUpSentence(bringUp);
    if (!done && caughtUp) {
      const plan = planRole(configuration, replica, role);
      const isLive = (other: ReplicaId) => other === replica || this.#isLive(status, other);
      if (hasLiveQuorum(plan, isLive)) {
        this.#propose(plan, `${replica} becomes a ${role}`);
        progress = `is about to become a ${role}`;
      } else {
        progress = `cannot become a ${role} yet: too few of the voters are alive`;
      }
    }
    return {
      type: "admitted",
      clusterId: this.#options.clusterId(),
      record: this.#options.record(),
      index,
      role: this.#offered.get(replica) ?? null,
      caughtUp,
      progress,
    };
  }

  /**
   * Without a leader any member says so to one that was let in and never heard of it: its vote may be the one that is missing
   * for a leader, who alone could tell it otherwise. A configuration counts from its append (Raft §6), so that it may be one
   * that is not known to be committed: if it comes to nothing, the node asks on.
   */
  #attest(
    { leaderId, configuration, configurationUncommitted }: RaftStatus,
    to: ReplicaId,
  ): JoinOutcome | null {
    if (leaderId !== null || !isMember(configuration.configuration, to)) return null;
    return {
      type: "admitted",
      clusterId: this.#options.clusterId(),
      record: this.#options.record(),
      index: configurationUncommitted ? null : configuration.index,
      role: null,
      caughtUp: false,
      progress: "is a member, and waits for a leader",
    };
  }

  /** Also to those who do not ask. A link may be older than the cluster at its end: first an election may find a leader. */
  #attestAll(status: RaftStatus, now: number): void {
    if (status.leaderId !== null) return void (this.#leaderlessSince = null);
    this.#leaderlessSince ??= now;
    if (now - this.#leaderlessSince < 3 * this.#options.electionMs) return;
    for (const { replica, clusterId } of this.#options.links.connected()) {
      const attested = clusterId === null ? this.#attest(status, replica) : null;
      if (attested !== null) this.#options.reply(replica, attested);
    }
  }

  /** Another incarnation of its id is a member, too. */
  #hasTwin(configuration: ConfigurationAt["configuration"], replica: ReplicaId): boolean {
    return members(configuration).some((other) => other !== replica && idOf(other) === idOf(replica));
  }

  /** Members that do not know it, because people named them, are told. */
  #offer(status: RaftStatus): void {
    const { configuration } = status.configuration;
    for (const { replica, clusterId } of this.#options.links.connected()) {
      if (clusterId !== null || !isMember(configuration, replica)) continue;
      const progress = status.peers.find((peer) => peer.id === replica);
      if (progress === undefined || progress.matchIndex > 0) continue;
      this.#options.reply(replica, this.#further(status, replica, "learner", -Infinity));
    }
  }

  #propose(plan: Plan, what: string): JoinOutcome {
    const proposed = this.#options.propose(plan);
    if (proposed.ok) this.#options.log("info", `the members change: ${what}`);
    return { type: "wait", why: "a change of the members is under way" };
  }

  /** How long ago it was heard on its link; null = it has none. */
  #heardMs(replica: ReplicaId): number | null {
    if (replica === this.#options.self) return 0;
    const link = this.#options.links.connected().find((peer) => peer.replica === replica);
    return link === undefined ? null : link.lastContactMs ?? Infinity;
  }

  #isLive(status: RaftStatus, replica: ReplicaId): boolean {
    return replica === this.#options.self || isKeepingUp(status, replica, 3 * this.#options.electionMs);
  }

  #removeDead(status: RaftStatus, now: number): void {
    const { removeDeadAfterMs, links } = this.#options;
    if (removeDeadAfterMs === null || this.#leadsSince === null) return;
    const linked = links.connected().map(({ replica }) => replica);
    const isLive = (replica: ReplicaId) => this.#isLive(status, replica);
    const found = longDead(status, removeDeadAfterMs, now - this.#leadsSince, linked, isLive);
    if (found !== null) {
      this.#propose(found.plan, `${found.replica} has been dead for too long and is removed`);
    }
  }

  #stepDown(): void {
    this.#leadsSince = null;
    this.#newcomers.clear();
    this.#offered.clear();
  }
}
