// When each replica was last heard from here, over whatever link and whoever leads: so that "unreachable" has a since.
import type { ReplicaId } from "../raft/mod.ts";
import type { Links } from "./ports.ts";

/** Replicas come and go; those that were heard from longest ago are forgotten first. */
const maxRemembered = 1_024;

export type Contact = {
  /** How long ago it was last heard from. */
  readonly agoMs: number;
  /** What it said of itself then. */
  readonly url: string;
  readonly version: string;
};

export class Contacts {
  readonly #began: number;
  readonly #heard = new Map<ReplicaId, Omit<Contact, "agoMs"> & { readonly at: number }>();

  constructor(now: number) {
    this.#began = now;
  }

  /** Called many times a second: what a link knows is gone with it. */
  look(now: number, links: Pick<Links, "connected">): void {
    for (const { replica, url, version, lastContactMs } of links.connected()) {
      // Deleted first, so that the order is that of the last contact.
      this.#heard.delete(replica);
      this.#heard.set(replica, { url, version, at: now - (lastContactMs ?? 0) });
    }
    for (const replica of this.#heard.keys()) {
      if (this.#heard.size <= maxRemembered) break;
      this.#heard.delete(replica);
    }
  }

  /** How long this node has been looking, ms: of whom it has not heard, it has not heard for so long. */
  watchedMs(now: number): number {
    return Math.max(0, now - this.#began);
  }

  all(now: number): ReadonlyMap<ReplicaId, Contact> {
    const all = new Map<ReplicaId, Contact>();
    for (const [replica, { at, url, version }] of this.#heard) {
      all.set(replica, { agoMs: Math.max(0, now - at), url, version });
    }
    return all;
  }
}
