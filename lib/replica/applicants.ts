// Nodes that have asked this member lately to be let in and are no members: who, as what, and what they were told.
import type { ReplicaId } from "../raft/mod.ts";
import type { JoinOutcome, MemberRole } from "./membership-messages.ts";

export type Applicant = {
  readonly replica: ReplicaId;
  readonly role: MemberRole;
  readonly refused: boolean;
  /** What it was told, as a sentence. */
  readonly why: string;
};

/** Whoever still wants something asks many times in that. */
const forgetMs = 5_000;
const maxKept = 64;

export class Applicants {
  readonly #asked = new Map<ReplicaId, Applicant & { readonly at: number }>();

  heard(replica: ReplicaId, role: MemberRole, outcome: JoinOutcome, now: number): void {
    this.#asked.delete(replica);
    // Who is admitted is a member; who is sent elsewhere is the business of that one.
    if (outcome.type === "admitted" || outcome.type === "elsewhere") return;
    if (this.#asked.size >= maxKept) this.#asked.delete(this.#asked.keys().next().value ?? "");
    this.#asked.set(replica, {
      replica,
      role,
      refused: outcome.type === "refused",
      why: outcome.why,
      at: now,
    });
  }

  all(now: number): readonly Applicant[] {
    if (this.#asked.size === 0) return [];
    return [...this.#asked.values()].filter(({ at }) => now - at <= forgetMs)
      .map(({ at: _at, ...applicant }) => applicant);
  }
}
