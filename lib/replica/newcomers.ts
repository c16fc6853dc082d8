// Nodes that have asked the leader to be let in, or to become what they wish to be, and how far each is brought up.
// Forgotten when one has not asked for a while: whoever still wants something asks again.
import { isVoter, type RaftStatus, type ReplicaId } from "../raft/mod.ts";
import { BringUp, type BringUpStatus } from "./bring-up.ts";
import type { MemberRole } from "./membership-messages.ts";

type Wish = { readonly role: MemberRole; readonly askedAt: number };

const forgetMs = 5_000;

export class Newcomers {
  readonly #wishes = new Map<ReplicaId, Wish>();
  readonly #bringUps = new Map<ReplicaId, BringUp>();

  get isEmpty(): boolean {
    return this.#wishes.size === 0;
  }

  asked(replica: ReplicaId, role: MemberRole, now: number): void {
    this.#wishes.set(replica, { role, askedAt: now });
  }

  forget(replica: ReplicaId): void {
    this.#wishes.delete(replica);
  }

  clear(): void {
    this.#wishes.clear();
    this.#bringUps.clear();
  }

  wishes(): readonly (readonly [replica: ReplicaId, role: MemberRole])[] {
    return [...this.#wishes].map(([replica, { role }]) => [replica, role]);
  }

  /** null = it is not being brought up. */
  status(replica: ReplicaId, now: number): BringUpStatus | null {
    return this.#bringUps.get(replica)?.status(now) ?? null;
  }

  all(now: number): readonly (BringUpStatus & { readonly replica: ReplicaId })[] {
    if (this.#bringUps.size === 0) return [];
    return [...this.#bringUps].map(([replica, bringUp]) => ({ replica, ...bringUp.status(now) }));
  }

  /** Takes over what the leader knows now; a round may take `shortMs`. */
  look(status: RaftStatus, now: number, shortMs: number): void {
    for (const [replica, { askedAt }] of this.#wishes) {
      if (now - askedAt > forgetMs) this.#wishes.delete(replica);
    }
    for (const replica of this.#bringUps.keys()) {
      if (!this.#wishes.has(replica)) this.#bringUps.delete(replica);
    }
    const { configuration } = status.configuration;
    for (const replica of this.#wishes.keys()) {
      const progress = status.peers.find(({ id }) => id === replica);
      if (progress === undefined || isVoter(configuration, replica)) continue;
      const bringUp = this.#bringUps.get(replica) ?? new BringUp(now, status.last.index);
      this.#bringUps.set(replica, bringUp);
      bringUp.look(now, progress.matchIndex, status.last.index, shortMs);
    }
  }
}
