// A process that says it is the next start of a replica whose last one is still linked here. Mostly that one is dead and its
// sockets do not know yet. Where it is heard on, both are alive: the newcomer runs on a copy of the folder of a living node.
import type { PeerIdentity } from "../replica/ports.ts";
import type { Refusal } from "./handshake.ts";

/** Of silenceMs. A living link says something at least every 0.3 of it (Link.keepAlive). */
const patience = 0.4;
/** What a dead process had sent last may be read a moment late, ms. */
const marginMs = 100;
const maxRemembered = 256;

export class Successors {
  readonly #patienceMs: number;
  /** When each showed itself first, by the nonce of its process. */
  readonly #since = new Map<string, number>();

  constructor({ silenceMs }: { readonly silenceMs: number }) {
    this.#patienceMs = patience * silenceMs;
  }

  /** What there is to say against it just now; null = what came before it is dead. `heardAt`: when that was heard last. */
  objection(newcomer: PeerIdentity, before: PeerIdentity, heardAt: number, now: number): Refusal | null {
    const since = this.#since.get(newcomer.nonce) ?? now;
    if (this.#since.size >= maxRemembered) this.#since.clear();
    this.#since.set(newcomer.nonce, since);
    if (heardAt > since + marginMs) {
      const sentence =
        `start ${before.bootCount} of ${newcomer.replica} is alive, and another process shows start ` +
        `${newcomer.bootCount}: its data folder was copied`;
      return { code: "stale_folder", sentence };
    }
    if (now - since >= this.#patienceMs) return null;
    return {
      code: "still_linked",
      sentence: "its last process is still linked: it has a moment to break off",
    };
  }
}
