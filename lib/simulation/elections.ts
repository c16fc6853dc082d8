// Elections, watched from outside (Raft §5.2, figure 3): one vote a term, durable before it is given; one leader a term, by
// the votes of a majority of the configuration that its own log brought it.
import { type HardState, idOf, type ReplicaId } from "../raft/mod.ts";
import { type Electorate, isMajority } from "./electorate.ts";

export class Elections {
  /** Of all who led so far. */
  highestTerm = 0;
  readonly #electorate: Electorate;
  readonly fail: (invariant: string, detail: string) => void;
  readonly #leaderOf = new Map<number, ReplicaId>();
  readonly #votes = new Map<string, string>();
  readonly #hardStates = new Map<string, HardState>();

  constructor(electorate: Electorate, fail: (invariant: string, detail: string) => void) {
    this.#electorate = electorate;
    this.fail = fail;
  }

  /** How many have led. */
  get count(): number {
    return this.#leaderOf.size;
  }

  /** Who led last, as far as anybody was told. */
  get newestLeader(): { readonly term: number; readonly replica: ReplicaId } | null {
    const replica = this.#leaderOf.get(this.highestTerm);
    return replica === undefined ? null : { term: this.highestTerm, replica };
  }

  /** Whether another has led since then. */
  ledSince({ term, replica }: { readonly term: number; readonly replica: ReplicaId }): boolean {
    for (const [later, leader] of this.#leaderOf) if (later > term && leader !== replica) return true;
    return false;
  }

  durable(node: string, hardState: HardState): void {
    this.#hardStates.set(node, hardState);
  }

  /** The disk is lost, and with it what it held. */
  wiped(node: string): void {
    this.#hardStates.delete(node);
  }

  /** It speaks as the leader of this term. */
  leads(replica: ReplicaId, term: number): void {
    const leader = this.#leaderOf.get(term);
    if (leader === undefined) {
      this.#leaderOf.set(term, replica);
      this.highestTerm = Math.max(this.highestTerm, term);
      this.#elected(replica, term);
    } else if (leader !== replica) {
      this.fail("Election Safety", `${leader} and ${replica} both lead term ${term}`);
    }
  }

  /** A leader has the votes of a majority of the configuration that its log brought it, of both groups where it is joint. */
  #elected(leader: string, term: number): void {
    const configuration = this.#electorate.inForce(idOf(leader));
    if (configuration === null) return;
    const own = this.#hardStates.get(idOf(leader));
    const forItself = own?.currentTerm === term && own.votedFor === leader;
    const votes = (voter: ReplicaId) =>
      this.#votes.get(`${voter} ${term}`) === leader || voter === leader && forItself;
    if (isMajority(configuration, votes)) return;
    const { voters, outgoing } = configuration;
    this.fail(
      "Election Safety",
      `${leader} leads term ${term} without the votes of a majority of ${voters.join(", ")}` +
        (outgoing.length > 0 ? ` and of ${outgoing.join(", ")}` : ""),
    );
  }

  /** Whoever speaks in a term has it on its disk. */
  promises(replica: string, term: number, what: string): void {
    if ((this.#hardStates.get(idOf(replica))?.currentTerm ?? 0) >= term) return;
    this.fail("Persist before you promise", `${replica} ${what} in term ${term} before that term is durable`);
  }

  /** It gives its vote away, or keeps it for itself. */
  voted(voter: string, term: number, candidate: string): void {
    const durable = this.#hardStates.get(idOf(voter));
    if (
      durable === undefined || durable.currentTerm < term ||
      (durable.currentTerm === term && durable.votedFor !== candidate)
    ) {
      this.fail(
        "Persist before you promise",
        `${voter} votes for ${candidate} in term ${term} before that is durable`,
      );
    }
    const key = `${voter} ${term}`;
    const before = this.#votes.get(key);
    if (before === undefined) this.#votes.set(key, candidate);
    else if (before !== candidate) {
      this.fail("One vote", `${voter} voted for ${before} and ${candidate} in term ${term}`);
    }
  }
}
