// Two processes that show the same replica (design §5): after a restart the older one is gone, but it also may live, and
// then the newer one runs on a copy of its data folder, whose boot count is higher. So the older one is asked first, over
// the link it has and where it was last reached; as long as it answers, the newer one is not let in.
import type { Clock, PeerIdentity } from "../replica/ports.ts";
import { idOf, type ReplicaId } from "../raft/mod.ts";
import type { Refusal } from "./handshake.ts";

/** A process of a replica, and where it can be asked; "" = nowhere. */
export type Process = Pick<PeerIdentity, "bootCount" | "nonce" | "url">;

export type SuccessorsOptions = {
  readonly clock: Clock;
  /** A link over which nothing comes for so long, from the question on, is not alive. More than between two keepalives. */
  readonly linkMs: number;
  /** Asks who is at a URL; null = nobody who proves the secret within a second or so. Calls `done` once, and later. */
  readonly ask: (url: string, done: (found: PeerIdentity | null) => void) => void;
  /** What was known of a replica before this process began. */
  readonly remembered: (replica: ReplicaId) => Process | null;
};

type Check = {
  readonly nonce: string;
  readonly since: number;
  /** What came of asking at its URL. */
  answer: "awaited" | "it" | "nobody";
};

const maxKnown = 256;
/** What a dead process had sent last may be read a moment late. */
const marginMs = 100;
/** Whoever asked has gone, and what was found out is old news. */
const staleMs = 10_000;

export class Successors {
  readonly #options: SuccessorsOptions;
  /** The last process of each replica that was linked. */
  readonly #last = new Map<ReplicaId, Process>();
  /** Processes that did not answer: whoever comes after them is welcome. */
  readonly #gone = new Map<ReplicaId, string>();
  readonly #checks = new Map<ReplicaId, Check>();

  constructor(options: SuccessorsOptions) {
    this.#options = options;
  }

  linked({ replica, bootCount, nonce, url }: PeerIdentity): void {
    this.#checks.delete(replica);
    this.#last.delete(replica);
    this.#last.set(replica, { bootCount, nonce, url });
    forgetOldest(this.#last);
  }

  /** This process was paused: what it has not heard in that time proves nothing. */
  paused(): void {
    this.#checks.clear();
  }

  /**
   * Whether an older process than `newcomer` has to be heard first, or lives; null = there is none. `heardAt` tells when
   * its link brought something last; null = it has none.
   */
  objection(newcomer: PeerIdentity, heardAt: number | null): Refusal | null {
    const { replica } = newcomer;
    const older = this.#last.get(replica) ?? this.#options.remembered(replica);
    // A smaller count, or the same again, is judged by who admits peers.
    if (older === null || older.nonce === newcomer.nonce || newcomer.bootCount <= older.bootCount) {
      return null;
    }
    if (this.#gone.get(replica) === older.nonce) return null;
    const check = this.#check(replica, older);
    switch (this.#verdict(check, heardAt)) {
      case "lives":
        // Another attempt is another question: it may be gone by then.
        this.#checks.delete(replica);
        return { code: "stale_folder", sentence: copied(newcomer, older) };
      case "gone":
        this.#checks.delete(replica);
        this.#gone.set(replica, older.nonce);
        forgetOldest(this.#gone);
        return null;
      case "open":
        return {
          code: "checking",
          sentence: `it is seen first whether start ${older.bootCount} of ${
            idOf(replica)
          } still runs: come again`,
        };
    }
  }

  #check(replica: ReplicaId, { nonce, url }: Process): Check {
    const { clock, ask } = this.#options;
    const since = clock.monotonic();
    const before = this.#checks.get(replica);
    if (before?.nonce === nonce && since - before.since < staleMs) return before;
    const check: Check = { nonce, since, answer: url === "" ? "nobody" : "awaited" };
    this.#checks.set(replica, check);
    forgetOldest(this.#checks);
    if (url !== "") {
      ask(url, (found) => {
        // After a pause of our own, silence proves nothing: it is asked again.
        if (clock.monotonic() - since > 2 * this.#options.linkMs) this.#checks.delete(replica);
        else check.answer = found?.replica === replica && found.nonce === nonce ? "it" : "nobody";
      });
    }
    return check;
  }

  #verdict({ since, answer }: Check, heardAt: number | null): "open" | "lives" | "gone" {
    if (answer === "it" || (heardAt !== null && heardAt > since + marginMs)) return "lives";
    const { clock, linkMs } = this.#options;
    const silent = heardAt === null || clock.monotonic() - since >= linkMs;
    return answer === "nobody" && silent ? "gone" : "open";
  }
}

function copied({ replica, bootCount }: PeerIdentity, older: Process): string {
  const where = older.url === "" ? "" : ` at ${older.url}`;
  return `${
    idOf(replica)
  } runs${where} (start ${older.bootCount}), and another process shows start ${bootCount}: ` +
    `its data folder was copied`;
}

function forgetOldest(map: Map<ReplicaId, unknown>): void {
  const oldest = map.keys().next();
  if (map.size > maxKnown && !oldest.done) map.delete(oldest.value);
}
