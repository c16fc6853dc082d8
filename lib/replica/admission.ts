// A node that wants to be let into a cluster (design §5): it asks every member it can reach until it is one in the role it
// wishes, adopts whose cluster it is once a member said so, and lets the log bring it up. Idempotent: a lost word is said again.
import { idOf, isMember, isVoter, type ReplicaId } from "../raft/mod.ts";
import type { ConfigurationAt } from "../raft/mod.ts";
import { type LocalIdentity, setAsideSentence } from "./identity.ts";
import type { JoinOutcome, MemberRole } from "./membership-messages.ts";
import type { NodeRecord } from "./node-record.ts";
import type { Links, Log } from "./ports.ts";

const repeatMs = 100;
/** Who hears for so long that its id belongs to another living node gives up. */
const takenMs = 3_000;

export type AdmissionOptions = {
  readonly identity: LocalIdentity;
  readonly links: Links;
  readonly log: Log;
  /** What this node was started as. */
  readonly role: MemberRole;
  /** It was told to join, or has found a cluster that goes on without it. */
  readonly mayAsk: () => boolean;
  readonly ask: (peer: ReplicaId, role: MemberRole) => void;
  /** Before that is written: false = this node is just forming a cluster after all. */
  readonly hold: () => boolean;
  /** Whose cluster it is, is durable: the replica may take part. */
  readonly onAdopted: () => void;
  /** Its id belongs to another node; it asks no more. */
  readonly onTaken: (why: string) => void;
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
};

/** Whether this node has been a member, as it wished to be, once; only then it may conclude that it was removed. */
export function hasEntered({ started, entered, record }: NodeRecord, self: ReplicaId): boolean {
  return started && (entered !== undefined || record?.includes(self) === true);
}

export class Admission {
  readonly #options: AdmissionOptions;
  #leader: ReplicaId | null = null;
  #askedAt = -Infinity;
  #saving = false;
  #caughtUp = false;
  #why = "no member of the cluster answers yet";
  #said = "";
  /** When it first heard that its id is taken, and whether it has given up. */
  #takenSince: number | null = null;
  #gaveUp = false;
  /** Index of a committed configuration that had this node as a member; null = not known of any. */
  #memberSince: number | null = null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  get entered(): boolean {
    const { identity } = this.#options;
    return hasEntered(identity.node, identity.replica);
  }

  /** It has caught up with the log once: what it reads locally is worth something. */
  get caughtUp(): boolean {
    return this.entered || this.#caughtUp;
  }

  get memberSince(): number | null {
    return this.#memberSince;
  }

  get waitingFor(): string {
    const { setAside } = this.#options.identity;
    return setAside === null ? this.#why : `${setAsideSentence(setAside)}; ${this.#why}`;
  }

  get role(): MemberRole {
    return this.#options.identity.node.role ?? this.#options.role;
  }

  /** `committed` is the newest configuration that this node itself knows to be committed; null = it has no log yet. */
  tick(now: number, committed: ConfigurationAt | null): void {
    const { identity, links, ask, mayAsk } = this.#options;
    if (this.entered || this.#saving || this.#gaveUp) return;
    if (committed !== null) this.#maybeEnter(committed);
    if (this.entered || this.#saving || !mayAsk() || now - this.#askedAt < repeatMs) return;
    this.#askedAt = now;
    const cluster = identity.clusterId;
    // A link may be older than the cluster at its other end: then no cluster is known of it.
    const members = links.connected().filter(({ clusterId }) =>
      clusterId === null || cluster === null || clusterId === cluster
    );
    const leader = members.find(({ replica }) => replica === this.#leader);
    for (const { replica } of leader === undefined ? members : [leader]) ask(replica, this.role);
    this.#leader = null;
    if (members.length === 0) this.#explain(`no member of the cluster answers yet${troublesOf(links)}`);
  }

  reply(from: ReplicaId, outcome: JoinOutcome, now: number): void {
    const { links, identity } = this.#options;
    if (this.entered || this.#gaveUp) return;
    switch (outcome.type) {
      case "elsewhere":
        this.#leader = outcome.leaderId;
        for (const url of outcome.urls) links.dial(url, null);
        if (outcome.leaderId === null) this.#explain(`${idOf(from)} knows of no leader just now`);
        return;
      case "wait":
        this.#leader = from;
        return this.#explain(outcome.why);
      case "refused":
        this.#explain(`refused: ${outcome.why}`);
        return outcome.taken === true ? this.#taken(outcome.why, now) : undefined;
      case "admitted":
        if (identity.clusterId !== null && outcome.clusterId !== identity.clusterId) return;
        if (this.#isOtherCluster(outcome.clusterId)) return;
        this.#leader = from;
        if (outcome.index !== null) this.#memberSince = Math.max(this.#memberSince ?? 0, outcome.index);
        this.#caughtUp ||= outcome.caughtUp;
        this.#explain(outcome.progress === "" ? "is about to take part" : outcome.progress);
        if (identity.node.started) {
          if (outcome.role !== null && identity.node.role === undefined) this.#save({ role: outcome.role });
        } else this.#adopt(outcome);
    }
  }

  /** Asking on would be to wait for the moment in which the owner of the id restarts. */
  #taken(why: string, now: number): void {
    this.#takenSince ??= now;
    if (this.#options.identity.node.started || now - this.#takenSince < takenMs) return;
    this.#gaveUp = true;
    this.#options.onTaken(why);
  }

  /** Who gave up its log comes back to its own cluster or to none: by an empty folder people say that they mean another. */
  #isOtherCluster(clusterId: string): boolean {
    const before = this.#options.identity.setAside?.clusterId ?? null;
    if (before === null || before === clusterId) return false;
    this.#explain(
      `refused: this node was in cluster ${before}, and is told to join ${clusterId}: ` +
        `give it an empty data folder if that is meant`,
    );
    return true;
  }

  /** People's word on the role goes before the node's own; it is kept, since it is asked again after a restart. */
  #adopt({ clusterId, record, role }: Extract<JoinOutcome, { type: "admitted" }>): void {
    const { log, hold, onAdopted } = this.#options;
    if (this.#saving || !hold()) return;
    log("info", "admitted to a cluster: the log is being copied", { clusterId });
    const change = { clusterId, record, started: true, setAside: null, ...role === null ? {} : { role } };
    this.#save(change, onAdopted);
  }

  #maybeEnter({ index, configuration }: ConfigurationAt): void {
    const { identity, log } = this.#options;
    if (!identity.node.started || !isMember(configuration, identity.replica)) return;
    const votes = isVoter(configuration, identity.replica);
    if (!votes && (this.role !== "learner" || !this.#caughtUp)) return;
    this.#save({ entered: index }, () => log("info", `takes part as a ${votes ? "voter" : "learner"}`));
  }

  #save(change: Partial<NodeRecord>, then: () => void = () => {}): void {
    if (this.#saving) return;
    const { identity, guard, fail } = this.#options;
    this.#saving = true;
    identity.save(change, (error) => {
      guard(() => {
        this.#saving = false;
        if (error !== null) return fail(`the log cannot be written: ${error.message}`);
        then();
      });
    });
  }

  #explain(why: string): void {
    this.#why = why;
    // Numbers change all the time; a new kind of reason is worth a line.
    const kind = why.replaceAll(/\d+/g, "n");
    if (kind === this.#said) return;
    this.#said = kind;
    this.#options.log(why.startsWith("refused") ? "error" : "info", `joining: ${why}`);
  }
}

/** So many addresses are enough to see what is wrong. */
const shownTroubles = 5;

/** What became of the addresses that this node was told, in the words of whoever dials them. */
function troublesOf(links: Links): string {
  const told = (links.troubles?.() ?? []).filter(({ forGood }) => forGood);
  if (told.length === 0) return "";
  const more = told.length > shownTroubles ? `; and ${told.length - shownTroubles} more` : "";
  return `: ${told.slice(0, shownTroubles).map(({ url, why }) => `${url}: ${why}`).join("; ")}${more}`;
}
