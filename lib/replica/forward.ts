// Writes of a follower's clients go to the leader over the peer link (design §3): only the command travels there, only its
// place travels back, and the follower sees the ending in its own log. What was sent once is never sent again, unless the
// leader said that it did not take it.
import type { Position, Raft, ReplicaId, Result } from "../raft/mod.ts";
import type { Forward, ForwardReply, RefusalReason } from "./peer-messages.ts";
import type { Links } from "./ports.ts";
import type { Proposals, Waiter } from "./proposals.ts";

/** Results kept for replies that arrive after their entry was applied; only while something is forwarded. */
const maxRecent = 4096;
const maxRecentBytes = 4 * 1024 * 1024;

export type ForwardingOptions = {
  readonly links: Links;
  readonly proposals: Proposals;
  readonly now: () => number;
  /** The term of the entry applied here at an index; only asked up to the applied one. */
  readonly appliedTermAt: (index: number) => number;
  readonly appliedIndex: () => number;
};

export class Forwarding {
  readonly #options: ForwardingOptions;
  readonly #sent = new Map<number, Waiter>();
  readonly #recent = new Map<number, { readonly term: number; readonly result: Uint8Array }>();
  #recentBytes = 0;
  #lastRequestId = 0;

  constructor(options: ForwardingOptions) {
    this.#options = options;
  }

  /** False: it did not leave this node. */
  send(waiter: Waiter, leader: ReplicaId): boolean {
    const { links, proposals, now } = this.#options;
    const requestId = ++this.#lastRequestId;
    const sentAt = now();
    const timeoutMs = Math.max(0, Math.floor(waiter.deadline - sentAt));
    if (!links.send(leader, { type: "Forward", requestId, command: waiter.command, timeoutMs }, "bulk")) {
      return false;
    }
    this.#sent.set(requestId, waiter);
    proposals.forwarded(waiter, leader, requestId, sentAt);
    return true;
  }

  /** The leader's word on a forward of ours. */
  reply(from: ReplicaId, { requestId, outcome }: ForwardReply): void {
    const waiter = this.#sent.get(requestId);
    if (waiter === undefined || waiter.state.type !== "forwarded" || waiter.state.to !== from) return;
    const { proposals } = this.#options;
    if (outcome.type === "appended") this.#place(waiter, outcome);
    // Definitely not taken: another leader may take it, within its deadline.
    else if (isPassing(outcome.reason)) proposals.enqueue(waiter);
    else proposals.refuse(waiter, outcome.reason);
    // Only now: with the last one the results that it may have needed are let go.
    this.forget(requestId);
  }

  /** Nobody waits for this forward any more. */
  readonly forget = (requestId: number): void => {
    this.#sent.delete(requestId);
    if (this.#sent.size > 0) return;
    this.#recent.clear();
    this.#recentBytes = 0;
  };

  /** Keeps a result for a reply that may come late. */
  applied(index: number, term: number, result: Uint8Array): void {
    if (this.#sent.size === 0) return;
    this.#recent.set(index, { term, result });
    this.#recentBytes += result.byteLength;
    while (this.#recent.size > maxRecent || this.#recentBytes > maxRecentBytes) {
      const oldest = this.#recent.entries().next();
      if (oldest.done) return;
      this.#recent.delete(oldest.value[0]);
      this.#recentBytes -= oldest.value[1].result.byteLength;
    }
  }

  #place(waiter: Waiter, { index, term }: Position): void {
    const { proposals, appliedIndex, appliedTermAt } = this.#options;
    proposals.place(waiter, { index, term });
    if (index > appliedIndex()) return;
    const recent = this.#recent.get(index);
    if (recent !== undefined) return proposals.applied(index, recent.term, recent.result);
    if (appliedTermAt(index) !== term) return proposals.refuse(waiter, "no_leader");
    // It was done, but its result is not known here any more: the honest word for that is unknown.
    proposals.settle(waiter, { type: "unknown", reason: "link_lost" });
  }
}

/** Answers a follower's forward on the leader: appended at a place, or refused. */
export function answerForward(
  { requestId, command, timeoutMs }: Forward,
  refusalOf: (command: Uint8Array) => RefusalReason | null,
  propose: (command: Uint8Array) => ReturnType<Raft["propose"]>,
): ForwardReply {
  const refuse = (reason: RefusalReason): ForwardReply => ({
    type: "ForwardReply",
    requestId,
    outcome: { type: "refused", reason },
  });
  const refusal = refusalOf(command);
  if (refusal !== null) return refuse(refusal);
  if (timeoutMs <= 0) return refuse("deadline");
  const proposed: Result<Position> = propose(command);
  if (!proposed.ok) return refuse(proposed.reason === "overloaded" ? "overloaded" : "no_leader");
  return { type: "ForwardReply", requestId, outcome: { type: "appended", ...proposed.value } };
}

/** Reasons that pass when another leads. */
function isPassing(reason: RefusalReason): boolean {
  return reason === "no_leader" || reason === "stopping" || reason === "not_ready" ||
    reason === "removed";
}
