// Changes of the members that people ask for, on the leader (Raft §6): each waits for what has to come first, is begun, and
// is answered once it is committed to.
import { idOf, members, type Position, type RaftStatus, type ReplicaId, type Result } from "../raft/mod.ts";
import { Departures } from "./departures.ts";
import {
  type AdminOutcome,
  type AdminRequest,
  type MemberRole,
  requestSentence,
} from "./membership-messages.ts";
import {
  hasLiveQuorum,
  type Plan,
  planAddition,
  planConfiguration,
  type Planned,
  planRemoval,
  refuse,
  samePlan,
} from "./plan.ts";
import type { Links, Log } from "./ports.ts";

export type ChangesOptions = {
  readonly self: ReplicaId;
  readonly links: Links;
  readonly log: Log;
  readonly termAt: (index: number) => number;
  readonly propose: (plan: Plan) => Result<Position>;
  readonly transfer: (to: ReplicaId | null) => Result<ReplicaId>;
  /** Tells a member that it is about to be removed. */
  readonly depart: (replica: ReplicaId) => void;
  readonly isLive: (status: RaftStatus, replica: ReplicaId) => boolean;
  /** People's word took it out: as this incarnation it never comes back. */
  readonly wasRemoved: (replica: ReplicaId) => boolean;
  /** A node that people named enters; this is what it is to be. */
  readonly offer: (replica: ReplicaId, role: MemberRole) => void;
};

/** A change that people asked for and that is not over, for people. */
export type ChangeStatus = {
  /** "remove n3" */
  readonly what: string;
  /** Its first entry is in the log, and not committed yet. */
  readonly begun: boolean;
  /** Why it has not begun; as a sentence. */
  readonly why: string;
};

type Pending = {
  readonly request: AdminRequest;
  readonly deadline: number;
  readonly done: (outcome: AdminOutcome) => void;
  /** Where its first entry stands; null = not begun. */
  position: Position | null;
  /** How often leadership was offered to others before it. */
  handovers: number;
  /** Why it has not begun yet. */
  why: Extract<Planned, { ok: false }>;
};

export class Changes {
  readonly #options: ChangesOptions;
  readonly #departures: Departures;
  #pending: Pending[] = [];

  constructor(options: ChangesOptions) {
    this.#options = options;
    this.#departures = new Departures(options.depart);
  }

  all(): readonly ChangeStatus[] {
    return this.#pending.map(({ request, position, why }) => ({
      what: requestSentence(request),
      begun: position !== null,
      why: why.detail,
    }));
  }

  get isIdle(): boolean {
    return this.#pending.length === 0;
  }

  /** `done` is called once. */
  ask(request: AdminRequest, deadline: number, done: (outcome: AdminOutcome) => void): void {
    const why = refuse("unavailable", "the leader has no commit in its term yet");
    if (request.type === "add" && request.url !== null) this.#options.links.dial(request.url, null);
    this.#pending.push({ request, deadline, done, position: null, handovers: 0, why });
  }

  departing(replica: ReplicaId, underWay: number, now: number): void {
    this.#departures.answered(replica, underWay, now);
  }

  tick(status: RaftStatus, now: number): void {
    this.#settle(status, now);
    if (status.role !== "leader") return;
    for (const pending of this.#pending) if (pending.position === null) this.#begin(pending, status, now);
  }

  #begin(pending: Pending, status: RaftStatus, now: number): void {
    const { request } = pending;
    if (request.type === "transfer") return this.#handOver(pending, request.to, status);
    const planned = this.#plan(request, status);
    if (!planned.ok) {
      pending.why = planned;
      // A node that was named may still be on its way here.
      if (request.type !== "add" || planned.reason !== "unavailable") this.#end(pending, planned);
      return;
    }
    const { plan } = planned;
    if (samePlan(plan, status.configuration.configuration) && !status.configurationUncommitted) {
      return this.#succeed(pending, status);
    }
    if (!request.force && !hasLiveQuorum(plan, (replica) => this.#options.isLive(status, replica))) {
      pending.why = refuse(
        "conflict",
        "the change would leave no live majority of voters; ?force=true does it all the same",
      );
      // Somebody may just be coming up; a moment's patience, no more.
      if (pending.deadline - now < 3_000) this.#end(pending, pending.why);
      return;
    }
    // Out of office first: then the writes under way here end as done, and not as unknown.
    if (this.#handsOverFirst(pending, plan, status) || this.#waitsForDeparture(status, plan, now)) return;
    const proposed = this.#options.propose(plan);
    if (proposed.ok) {
      pending.position = proposed.value;
      this.#options.log("info", "the members change", { voters: plan.voters, learners: plan.learners });
    } else if (proposed.reason === "change_running") {
      pending.why = refuse("conflict", "another change of the members is running");
    } else if (proposed.reason === "invalid") {
      this.#end(pending, refuse("invalid", "this is no configuration to change to"));
    } else {
      pending.why = refuse(
        "unavailable",
        "leadership is changing, or the leader has no commit in its term yet",
      );
    }
  }

  /** A leader that is not to stay a voter hands over to one that is; whoever asked then asks that one. */
  #handsOverFirst(pending: Pending, plan: Plan, status: RaftStatus): boolean {
    if (plan.voters.includes(this.#options.self)) return false;
    if (status.transferTarget !== null) return true;
    const successor = plan.voters.find((voter) =>
      status.configuration.configuration.voters.includes(voter) && this.#options.isLive(status, voter)
    );
    if (successor === undefined || pending.handovers >= 3) return false;
    pending.handovers++;
    return this.#options.transfer(successor).ok;
  }

  /** Members that live and are to go first end what they have under way; they have a moment for it. */
  #waitsForDeparture(status: RaftStatus, plan: Plan, now: number): boolean {
    const leaving = members(status.configuration.configuration).filter((replica) =>
      !plan.voters.includes(replica) && !plan.learners.includes(replica) &&
      this.#options.isLive(status, replica) &&
      replica !== this.#options.self
    );
    return !this.#departures.areOver(leaving, now);
  }

  #plan(request: Exclude<AdminRequest, { type: "transfer" }>, status: RaftStatus): Planned {
    const { configuration } = status.configuration;
    const isLive = (replica: ReplicaId) => this.#options.isLive(status, replica);
    if (request.type === "remove") {
      return planRemoval(configuration, request.id, request.leavesAtLeast);
    }
    if (request.type === "configure") return planConfiguration(status.configuration, request, isLive);
    const linked = this.#options.links.connected().map(({ replica }) => replica);
    const planned = planAddition(
      configuration,
      request,
      [this.#options.self, ...linked],
      this.#trouble(request.url),
    );
    if (!planned.ok || planned.newcomer === null) return planned;
    if (this.#options.wasRemoved(planned.newcomer)) {
      return refuse("conflict", `${request.id} was removed: start it with --rejoin to enter anew`);
    }
    this.#options.offer(planned.newcomer, request.role);
    return planned;
  }

  /** What came of dialling a URL; null = nothing wrong is known. */
  #trouble(url: string | null): string | null {
    if (url === null) return null;
    const told = this.#options.links.troubles?.().find((trouble) => `${url}/`.startsWith(`${trouble.url}/`));
    return told?.why ?? null;
  }

  #handOver(pending: Pending, to: string | null, status: RaftStatus): void {
    const { voters } = status.configuration.configuration;
    const target = to === null ? null : voters.find((voter) => voter === to || idOf(voter) === to);
    if (target === undefined) return this.#end(pending, refuse("invalid", `there is no voter called ${to}`));
    if (target === this.#options.self) return this.#succeed(pending, status);
    const begun = this.#options.transfer(target);
    if (begun.ok) return this.#end(pending, this.#success(status, begun.value));
    this.#end(
      pending,
      refuse("conflict", "there is no other voter that could lead, or a handover is running"),
    );
  }

  /** What was begun is certain once its first entry is committed: whoever leads then goes on with it. */
  #settle(status: RaftStatus, now: number): void {
    for (const pending of [...this.#pending]) {
      const { position, deadline } = pending;
      if (position === null) {
        if (now >= deadline) this.#end(pending, pending.why);
        else if (status.role !== "leader") {
          this.#end(pending, { ok: false, reason: "not_leader", detail: "this node leads no more" });
        }
      } else if (status.commitIndex >= position.index) {
        if (this.#options.termAt(position.index) === position.term) this.#succeed(pending, status);
        else this.#end(pending, refuse("unavailable", "another leader's entry took its place"));
      } else if (now >= deadline || status.role !== "leader") {
        this.#end(pending, refuse("unknown", "the change was begun, and may or may not be done"));
      }
    }
  }

  #succeed(pending: Pending, status: RaftStatus): void {
    this.#end(pending, this.#success(status, status.leaderId));
  }

  #success({ configuration }: RaftStatus, leaderId: ReplicaId | null): AdminOutcome {
    return { ok: true, configuration, leaderId };
  }

  #end(pending: Pending, outcome: AdminOutcome): void {
    this.#pending = this.#pending.filter((other) => other !== pending);
    pending.done(outcome);
  }
}
