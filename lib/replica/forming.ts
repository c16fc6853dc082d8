// Carries the formation of a cluster out: makes its record durable, tells the peers, and says when it is over. A started
// node goes on telling those who have not started.
import { idOf, type ReplicaId } from "../raft/mod.ts";
import { Formation } from "./formation.ts";
import type { LocalIdentity } from "./identity.ts";
import type { Formation as Statement } from "./peer-messages.ts";
import type { Links, Log, Random } from "./ports.ts";

/** Statements repeat everything, so that a lost one costs no more than this. */
const repeatMs = 1000;

export type FormingOptions = {
  readonly identity: LocalIdentity;
  readonly expected: readonly string[];
  /** It looks for others only to be let in: it tells those who want to form a cluster that it is none of them. */
  readonly abstains: boolean;
  readonly links: Links;
  readonly random: Random;
  readonly log: Log;
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
  /** The record is agreed upon and durable: this node takes part from now on. Called once, if it was not so at the start. */
  readonly onStarted: () => void;
};

export class Forming {
  readonly #options: FormingOptions;
  readonly #formation: Formation;
  #repeatedAt = -Infinity;
  #discovering = false;
  #held = false;
  #said: string | null = null;

  constructor(options: FormingOptions) {
    const { identity, expected, random } = options;
    const { record, started } = identity.node;
    this.#options = options;
    this.#formation = new Formation({ self: identity.replica, expected, record, started, random });
  }

  /** What is waited for, as a sentence; null when this node has started. */
  waitingFor(): string | null {
    return this.#formation.waitingFor();
  }

  get hasToBeAdmitted(): boolean {
    return this.#formation.hasToBeAdmitted;
  }

  /** Without a list: whoever is found forms the cluster, once there are so many; null = not for now. */
  discovering(atLeast: number | null, behind: readonly (ReplicaId | null)[]): void {
    if (this.#formation.started || this.#options.identity.setAside !== null) return;
    this.#formation.discovering(atLeast, behind);
    this.#discovering = true;
    this.advance();
  }

  /** From now on this node forms no cluster, since it is being admitted to one. False: too late, it just does. */
  hold(): boolean {
    this.#held = !this.#formation.isSaving;
    return this.#held;
  }

  /** This node was admitted to a cluster that is there already. */
  admitted(record: readonly ReplicaId[]): void {
    this.#formation.admitted(record);
  }

  /** With nothing to form a cluster with there is nothing to say, and those who do form one are not to wonder. */
  get #silent(): boolean {
    const { started, record } = this.#formation;
    const { expected, abstains } = this.#options;
    return !started && record === null && expected.length === 0 && !this.#discovering && !abstains;
  }

  up(peer: ReplicaId): void {
    this.#formation.peerUp(peer);
    if (!this.#silent) this.#options.links.send(peer, this.#formation.statement(), "control");
    this.advance();
  }

  down(peer: ReplicaId): void {
    this.#formation.peerDown(peer);
    this.advance();
  }

  message(from: ReplicaId, statement: Statement): void {
    this.#formation.heard(from, statement);
    if (this.#formation.started && !statement.started) {
      this.#options.links.send(from, this.#formation.statement(), "control");
    }
    this.advance();
  }

  tick(now: number): void {
    if (now - this.#repeatedAt < repeatMs) return;
    this.#repeatedAt = now;
    if (!this.#formation.started) {
      if (!this.#silent) this.#tell(this.#formation.statement());
    } else if (this.#options.identity.unsaved) this.#saveBoots();
  }

  /** Takes the next step if there is one. */
  advance(): void {
    if (this.#formation.started || this.#held) return;
    const save = this.#formation.save();
    this.#explain();
    if (save === null) return this.#tellNews();
    this.#options.identity.save(save, (error) => {
      this.#options.guard(() => {
        if (error !== null) return this.#options.fail(`the log cannot be written: ${error.message}`);
        this.#formation.saved();
        this.#tellNews();
        const members = save.record.map(idOf).join(", ");
        if (!save.started) {
          this.#options.log("info", "recorded who is to form the cluster", { members });
          return this.advance();
        }
        this.#options.log("info", "the cluster is formed", { members, clusterId: save.clusterId });
        this.#options.onStarted();
      });
    });
  }

  /** What was seen of peers' starts; seldom, and only when nothing else of the identity is being written. */
  #saveBoots(): void {
    const { identity, guard, fail } = this.#options;
    identity.save({}, (error) => {
      guard(() => {
        if (error !== null) fail(`the log cannot be written: ${error.message}`);
      });
    });
  }

  #tellNews(): void {
    const news = this.#formation.news();
    if (news !== null && !this.#silent) this.#tell(news);
  }

  #tell(statement: Statement): void {
    for (const { replica } of this.#options.links.connected()) {
      this.#options.links.send(replica, statement, "control");
    }
  }

  /** One line for each new reason why it does not go on. */
  #explain(): void {
    const waitingFor = this.#formation.waitingFor();
    const { log, abstains } = this.#options;
    if (waitingFor === null || waitingFor === this.#said || this.#silent || abstains) return;
    this.#said = waitingFor;
    log(this.#formation.expectsTooFew ? "error" : "info", `forming: ${waitingFor}`);
  }
}
