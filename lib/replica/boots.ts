// Which starts of which peers were seen (design §5): a smaller boot count, or an equal one of another process, is a copied
// or rolled-back data folder and is not talked to.
import { idOf, type ReplicaId } from "../raft/mod.ts";
import type { PeerBoot } from "./node-record.ts";

export type Boot = PeerBoot & { readonly replica: ReplicaId };

/** More than any cluster has; the oldest are forgotten first. */
const maxBoots = 256;

export class Boots {
  readonly #highest = new Map<ReplicaId, PeerBoot>();

  constructor(known: Readonly<Record<ReplicaId, PeerBoot>>) {
    for (const [replica, boot] of Object.entries(known)) this.#highest.set(replica, boot);
  }

  /** Something was seen that known() did not return yet. */
  changed = false;

  /** null = welcome, and remembered; otherwise why not, as a sentence. */
  admit({ replica, bootCount, nonce }: Boot): string | null {
    const highest = this.#highest.get(replica);
    if (highest !== undefined) {
      if (bootCount < highest.bootCount) {
        return `${
          idOf(replica)
        } shows start ${bootCount}, but its start ${highest.bootCount} was seen already: ` +
          `its data folder is an old copy`;
      }
      if (bootCount === highest.bootCount && nonce !== highest.nonce) {
        return `two processes show the same start ${bootCount} of ${
          idOf(replica)
        }: its data folder was copied`;
      }
      if (bootCount === highest.bootCount) return null;
      this.#highest.delete(replica);
    }
    this.changed = true;
    this.#highest.set(replica, { bootCount, nonce });
    if (this.#highest.size > maxBoots) {
      const oldest = this.#highest.keys().next();
      if (!oldest.done) this.#highest.delete(oldest.value);
    }
    return null;
  }

  known(): Readonly<Record<ReplicaId, PeerBoot>> {
    this.changed = false;
    return Object.fromEntries(this.#highest);
  }
}
