// The cluster's invariants (Raft figure 3), watched from outside: over every message sent, every row made durable, every
// entry applied and every write acknowledged. All incremental: a step costs about as much as it says.
import { crc32 } from "../bytes/mod.ts";
import { type Entry, type HardState, idOf, type ReplicaId } from "../raft/mod.ts";
import type { Applied, ReplicaStatus } from "../replica/api.ts";
import type { LocalIdentity } from "../replica/identity.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import { Cores } from "./cores.ts";
import type { DurableRow } from "./durable-row.ts";
import { Elections } from "./elections.ts";
import { Electorate, isMajority, isMajorityOf } from "./electorate.ts";
import type { Ledger, LedgerEntry } from "./ledger.ts";
import { Lives } from "./lives.ts";

type Seen = { readonly entry: Entry; readonly crc: number; readonly previousTerm: number };

/** `holders`: a bit for each replica on whose disk it is, or was until the disk was lost. */
type Held = { readonly chain: number; holders: number };

export type Violation = { readonly invariant: string; readonly detail: string };

export class Invariants {
  /** The first thing that went wrong; null = nothing. */
  violation: Violation | null = null;
  /** AppendEntries with entries that were sent: what a committed entry costs. */
  entryMessages = 0;
  /** Entries in them, each as often as it was sent. */
  entriesSent = 0;
  /** Reads that were answered, stale ones apart, by the name of the node that was asked. */
  readonly readsAnswered = new Map<string, number>();
  /** Disks that were lost. */
  wipes = 0;
  readonly electorate = new Electorate();
  readonly cores = new Cores((invariant, detail) => this.fail(invariant, detail));
  readonly #ledger: Ledger;
  readonly #bit = new Map<ReplicaId, number>();
  readonly #lives = new Lives(
    (invariant, detail) => this.fail(invariant, detail),
    () => this.#ledger.top > 0,
  );
  readonly #complete = new Set<number>();
  /** By "index/term": every entry that was ever sent, and every one that was ever made durable. */
  readonly #entries = new Map<string, Seen>();
  readonly #held = new Map<string, Held>();
  /** Who voted for whom, who led when. */
  readonly elections = new Elections(this.electorate, (invariant, detail) => this.fail(invariant, detail));
  /** Highest leaderCommit that was sent. */
  #commitSent = 0;
  readonly #durableTerm = new Map<string, number[]>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** Whether one more disk may be lost: each makes another replica, and there is a bit for so many. */
  get hasRoom(): boolean {
    return this.#bit.size < 24;
  }

  boots(node: string, identity: LocalIdentity): void {
    this.electorate.boots(node, identity);
  }

  #bitOf(replica: ReplicaId | undefined): number {
    if (replica === undefined) return 0;
    const known = this.#bit.get(replica);
    if (known !== undefined) return known;
    const bit = 1 << this.#bit.size;
    this.#bit.set(replica, bit);
    return bit;
  }

  fail(invariant: string, detail: string): void {
    this.violation ??= { invariant, detail };
  }

  /** `replica` is the sender's full name: a wiped node is another replica. */
  sent(replica: string, message: PeerMessage): void {
    if ("from" in message && message.from !== replica) {
      this.fail("Identity", `${replica} says ${message.type} in the name of ${message.from}`);
    }
    switch (message.type) {
      case "AppendEntries": {
        const { term } = message;
        this.elections.promises(replica, term, "leads");
        if (message.leaderCommit > this.#commitSent) {
          this.#committedByCounting(replica, term, message.leaderCommit);
        }
        this.elections.leads(replica, term);
        if (message.entries.length > 0) this.#sentEntries(replica, message);
        return;
      }
      case "AppendEntriesReply":
        this.elections.promises(replica, message.term, "answers");
        if (message.success && message.matchIndex >= this.#durableTerms(idOf(replica)).length) {
          this.fail(
            "Persist before you promise",
            `${replica} acknowledges ${message.matchIndex} before it is durable`,
          );
        }
        return;
      case "RequestVoteReply":
        if (message.granted && !message.preVote) this.elections.voted(replica, message.term, message.to);
        return;
      case "RequestVote":
        if (this.#lives.wasRemoved(replica)) {
          this.fail("Removed is quiet", `${replica} knows that it was removed and asks for votes`);
        }
        if (!message.preVote) this.elections.voted(replica, message.term, replica);
        return;
    }
  }

  /** By counting a leader commits only entries of its own term (§5.4.2, figure 8); it knows of no other commit first. */
  #committedByCounting(leader: string, term: number, index: number): void {
    this.#commitSent = index;
    // The only voter commits what it has sent to nobody yet.
    const isOwn = this.#entries.has(`${index}/${term}`) || this.#durableTerms(idOf(leader))[index] === term;
    if (index > this.#ledger.top && !isOwn) {
      this.fail("Figure 8", `${leader} commits ${index}, which is no entry of its own term ${term}`);
    }
  }

  #sentEntries(
    leader: string,
    message: { term: number; prevLogIndex: number; prevLogTerm: number; entries: readonly Entry[] },
  ): void {
    this.entryMessages++;
    this.entriesSent += message.entries.length;
    let previousTerm = message.prevLogTerm;
    let index = message.prevLogIndex;
    for (const entry of message.entries) {
      if (entry.index !== ++index) {
        this.fail("Log Matching", `${leader} sends ${entry.index} after ${index - 1}`);
      }
      this.#seen(leader, entry, previousTerm);
      if (entry.term === message.term && previousTerm < message.term && !this.#complete.has(message.term)) {
        this.#complete.add(message.term);
        this.#leaderIsComplete(leader, message.term, entry.index - 1, previousTerm);
      }
      previousTerm = entry.term;
    }
  }

  /** Log Matching (§5.3): an index and a term name one entry and everything before it. */
  #seen(where: string, entry: Entry, previousTerm: number): void {
    const key = `${entry.index}/${entry.term}`;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { entry, crc: crc32(entry.data), previousTerm });
      return;
    }
    if (known.previousTerm !== previousTerm) {
      this.fail(
        "Log Matching",
        `${where}: entry ${key} follows term ${previousTerm}, elsewhere ${known.previousTerm}`,
      );
    }
    if (known.entry !== entry && known.entry.data !== entry.data) {
      const same = known.crc === crc32(entry.data) && known.entry.type === entry.type &&
        known.entry.time === entry.time;
      if (!same) this.fail("Log Matching", `${where}: another entry under ${key}`);
    }
  }

  /** Leader Completeness (§5.4): at the first entry of its term a leader's log holds everything committed before. */
  #leaderIsComplete(leader: string, term: number, lastIndex: number, lastTerm: number): void {
    // A candidate that was paused may count its votes when a later term has long committed things: that is no fault.
    if (term < this.elections.highestTerm) return;
    // What is of its own term it committed itself: the only voter does so before it sends anything.
    let { top } = this.#ledger;
    while ((this.#ledger.at(top)?.term ?? 0) >= term) top--;
    const what = `${leader}, elected in term ${term} with last entry ${lastIndex}/${lastTerm}`;
    if (lastIndex < top) return this.fail("Leader Completeness", `${what}, lacks the committed entry ${top}`);
    let index = lastIndex;
    let entryTerm = lastTerm;
    while (index > top) {
      const entry = this.#entries.get(`${index}/${entryTerm}`);
      if (entry === undefined) return;
      entryTerm = entry.previousTerm;
      index--;
    }
    const committed = this.#ledger.at(index);
    if (committed !== undefined && committed.term !== entryTerm) {
      this.fail(
        "Leader Completeness",
        `${what}, has ${index}/${entryTerm} where ${index}/${committed.term} is committed`,
      );
    }
  }

  /** Rows that `node` now holds durably; everything from the first on was cut off before. */
  durable(
    node: string,
    cutFrom: number | null,
    rows: readonly DurableRow[],
    hardState: HardState | null,
  ): void {
    if (hardState !== null) this.elections.durable(node, hardState);
    const terms = this.#durableTerms(node);
    const bit = this.#bitOf(this.electorate.replicaOf(node));
    this.electorate.durable(node, cutFrom, rows);
    if (cutFrom !== null) {
      for (let index = cutFrom; index < terms.length; index++) {
        const held = this.#held.get(`${index}/${terms[index]}`);
        if (held !== undefined) held.holders &= ~bit;
        if (this.#ledger.at(index)?.term !== terms[index]) continue;
        // A replica that did not help to commit it may still hear an older leader first; a majority keeps it all the same.
        const at = this.electorate.at(node, index);
        if (at === null || !isMajority(at.configuration, this.#among(held?.holders ?? 0))) {
          this.fail("Commit is for ever", `${node} cuts off the committed entry ${index}/${terms[index]}`);
        }
      }
      terms.length = Math.min(terms.length, cutFrom);
    }
    for (const { index, term, chain } of rows) {
      terms[index] = term;
      const key = `${index}/${term}`;
      const held = this.#held.get(key);
      if (held === undefined) this.#held.set(key, { chain, holders: bit });
      else if (held.chain === chain) held.holders |= bit;
      else {this.fail(
          "Log Matching",
          `${node} stores under ${key} another entry, or one after another log, than others`,
        );}
    }
  }

  /** A node lost its disk: it holds nothing now, though what it held counted while it did. */
  wiped(node: string): void {
    this.elections.wiped(node);
    this.#durableTerm.delete(node);
    this.#lives.wiped(node, this.electorate.allRecorded(node));
    this.electorate.wiped(node);
    this.wipes++;
  }

  #durableTerms(node: string): number[] {
    const known = this.#durableTerm.get(node);
    if (known !== undefined) return known;
    const terms: number[] = [0];
    this.#durableTerm.set(node, terms);
    return terms;
  }

  applied(node: string, step: Applied, oracle: (entry: LedgerEntry) => string | null): void {
    const complaint = this.#ledger.applied(
      node,
      step,
      (entry) => this.#committed(node, entry) ?? oracle(entry),
    );
    if (complaint !== null) this.fail("State Machine Safety", complaint);
  }

  #among(holders: number): (replica: ReplicaId) => boolean {
    return (replica) => (holders & (this.#bit.get(replica) ?? 0)) !== 0;
  }

  // Persist before you promise: what anybody applies is durable on the node itself, and on a majority of the voters that
  // decide at its place. Behind a joint configuration that may already be C_new alone.
  #committed(node: string, { index, term, type }: LedgerEntry): string | null {
    const { electorate } = this;
    const what = `${node} applied ${index}/${term}`;
    const holders = this.#held.get(`${index}/${term}`)?.holders ?? 0;
    if ((holders & this.#bitOf(electorate.replicaOf(node))) === 0) {
      return `${what} which is not durable there`;
    }
    if (type === "configuration" && !electorate.commits(node, index)) {
      return `${what}, of another kind on its disk`;
    }
    const at = electorate.at(node, index);
    if (at === null) return `${what} and belongs to no cluster`;
    const holds = this.#among(holders);
    const { voters, outgoing } = at.configuration;
    if (isMajority(at.configuration, holds)) return null;
    if (outgoing.length > 0 && index > at.index && isMajorityOf(voters, holds)) return null;
    const on = [...this.#bit.keys()].filter(holds).join(", ") || "no node";
    const joint = outgoing.length > 0 ? ` and ${outgoing.join(", ")}` : "";
    return `${what} which is durable only on ${on}; it takes a majority of ${voters.join(", ")}${joint}`;
  }

  readAnswered(node: string): void {
    this.readsAnswered.set(node, (this.readsAnswered.get(node) ?? 0) + 1);
  }

  acknowledged(node: string, operation: string, index: number, term: number): void {
    const complaint = this.#ledger.acknowledged(operation, index, term);
    if (complaint !== null) this.fail("Durability", `${node} acknowledged ${complaint}`);
  }

  /** A write that was refused for good is in no log that was ever committed. */
  refused(node: string, operation: string): void {
    const index = this.#ledger.indexOf(operation);
    if (index !== undefined) {
      this.fail("Definitely not done", `${node} refused ${operation}, committed at ${index}`);
    }
  }

  /** One node's state against its last one; `boot` tells processes apart. */
  status(node: string, boot: string, status: ReplicaStatus): void {
    this.#lives.status(node, boot, status);
  }
}
