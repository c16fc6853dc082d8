// People's membership changes on any node: the leader carries them out, others send them to it over the peer link and
// answer what it answers. Without a leader they wait, up to their deadline; what was sent and not answered is unknown.
import type { ReplicaId } from "../raft/mod.ts";
import type { AdminOutcome, AdminReply, AdminRequest } from "./membership-messages.ts";
import { refuse } from "./plan.ts";

export type AdministrationOptions = {
  readonly self: ReplicaId;
  readonly leaderId: () => ReplicaId | null;
  /** Carries it out here; only called on the leader. */
  readonly perform: (request: AdminRequest, deadline: number, done: (outcome: AdminOutcome) => void) => void;
  /** False: it did not leave this node. */
  readonly forward: (to: ReplicaId, requestId: number, request: AdminRequest, timeoutMs: number) => boolean;
};

type Asked = {
  readonly request: AdminRequest;
  readonly deadline: number;
  readonly done: (outcome: AdminOutcome) => void;
  /** Where it is now; null = it waits for a leader. */
  at: { readonly leader: ReplicaId; readonly requestId: number } | null;
  retryAt: number;
};

/** The leader needs a moment to answer that the deadline has passed. */
const marginMs = 250;
const retryMs = 50;

export class Administration {
  readonly #options: AdministrationOptions;
  readonly #asked = new Set<Asked>();
  #lastId = 0;

  constructor(options: AdministrationOptions) {
    this.#options = options;
  }

  ask(request: AdminRequest, now: number, timeoutMs: number, done: (outcome: AdminOutcome) => void): void {
    const asked = { request, deadline: now + timeoutMs, done, at: null, retryAt: now };
    this.#asked.add(asked);
    this.#route(asked, now);
  }

  reply(from: ReplicaId, { requestId, outcome }: AdminReply): void {
    for (const asked of this.#asked) {
      if (asked.at?.leader === from && asked.at.requestId === requestId) this.#heard(asked, outcome);
    }
  }

  linkLost(peer: ReplicaId): void {
    for (const asked of this.#asked) {
      if (asked.at === null || asked.at.leader !== peer) continue;
      this.#end(
        asked,
        refuse("unknown", "the link to the leader was lost: the change may or may not be done"),
      );
    }
  }

  tick(now: number): void {
    for (const asked of this.#asked) {
      if (asked.at === null && now >= asked.deadline) {
        this.#end(asked, refuse("unavailable", "no leader is known; nothing was done"));
      } else if (now >= asked.deadline + marginMs) {
        this.#end(asked, refuse("unknown", "the leader has not answered: the change may or may not be done"));
      } else if (asked.at === null && now >= asked.retryAt) {
        this.#route(asked, now);
      }
    }
  }

  #route(asked: Asked, now: number): void {
    const { self, leaderId, perform, forward } = this.#options;
    const leader = leaderId();
    asked.retryAt = now + retryMs;
    if (leader === null) return;
    const requestId = ++this.#lastId;
    if (leader === self) {
      asked.at = { leader, requestId };
      perform(asked.request, asked.deadline, (outcome) => this.#heard(asked, outcome));
    } else if (forward(leader, requestId, asked.request, Math.max(0, asked.deadline - now))) {
      asked.at = { leader, requestId };
    }
  }

  #heard(asked: Asked, outcome: AdminOutcome): void {
    // Definitely not begun: another leader may take it.
    if (!outcome.ok && outcome.reason === "not_leader") asked.at = null;
    else this.#end(asked, outcome);
  }

  #end(asked: Asked, outcome: AdminOutcome): void {
    if (this.#asked.delete(asked)) asked.done(outcome);
  }
}
