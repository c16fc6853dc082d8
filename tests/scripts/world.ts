// A few cores, their disks and the wire between them, moved by hand: nothing happens unless a script says so. Each
// step leaves lines in the trace, and after each the invariants are checked.
import {
  brokenChange,
  brokenCluster,
  brokenState,
  type Configuration,
  type ConfigurationAt,
  type Entry,
  entryBytes,
  type Event,
  type HardState,
  idOf,
  type Message,
  Raft,
  type RaftOptions,
  type RaftStatus,
  type Ready,
  type ReplicaId,
  type Result,
} from "../../lib/raft/mod.ts";
import { Ledger } from "./ledger.ts";
import { showEntry, showMessage, showPosition } from "./show.ts";

type Disk = {
  hardState: HardState;
  entries: Entry[];
  configurations: readonly ConfigurationAt[];
  lastApplied: number;
};

export class ScriptNode {
  raft: Raft | null = null;
  before: RaftStatus | null = null;
  now = 1000;
  readonly applied: Entry[] = [];
  /** Readies that the disk has not made durable yet. */
  pending: Ready[] = [];
  diskIsSlow = false;
  poisoned: string | null = null;
  /** Counts its starts. */
  life = 0;
  /** The term in which it was last sent something that was meant for an earlier life: real links do not do that. */
  hauntedIn = -1;

  readonly id: ReplicaId;
  readonly disk: Disk;

  constructor(id: ReplicaId, disk: Disk) {
    this.id = id;
    this.disk = disk;
  }
}

/** A message on its way; `life` is the receiver's at its sending. */
export type Wire = { readonly message: Message; readonly number: number; readonly life: number };

export class ScriptWorld {
  readonly nodes = new Map<ReplicaId, ScriptNode>();
  /** Messages on their way, in the order they were sent. */
  wire: Wire[] = [];
  readonly trace: string[] = [];
  readonly ledger: Ledger = new Ledger(this.nodes);
  /** How far each clock was moved alone, ms: past a drift that is allowed, leases promise nothing, and freshness at once. */
  readonly #aloneMs = new Map<ReplicaId, number>();
  /** Messages are made up: whether majorities really agreed cannot be asked. */
  forged = false;
  #cut = new Set<string>();
  #sent = 0;
  readonly options: Partial<RaftOptions>;
  /** What one replica has of its own. */
  readonly optionsOf: ReadonlyMap<ReplicaId, Partial<RaftOptions>>;

  constructor(
    options: Partial<RaftOptions> = {},
    optionsOf: ReadonlyMap<ReplicaId, Partial<RaftOptions>> = new Map(),
  ) {
    this.options = options;
    this.optionsOf = optionsOf;
  }

  add(
    id: ReplicaId,
    configuration: Configuration,
    log: readonly Entry[] = [],
    hardState?: HardState,
  ): ScriptNode {
    const configurations = [{ index: 0, configuration }];
    const term = log.at(-1)?.term ?? 0;
    const disk: Disk = {
      hardState: hardState ?? { currentTerm: term, votedFor: null, withholdMs: 0 },
      entries: [...log],
      configurations,
      lastApplied: 0,
    };
    const node = new ScriptNode(id, disk);
    this.nodes.set(id, node);
    this.start(node);
    return node;
  }

  node(id: ReplicaId): ScriptNode {
    const node = this.nodes.get(id) ??
      [...this.nodes.values()].find((candidate) => idOf(candidate.id) === id);
    if (node === undefined) throw new Error(`no replica ${id}`);
    return node;
  }

  raft(id: ReplicaId): Raft {
    const { raft } = this.node(id);
    if (raft === null) throw new Error(`${id} is down`);
    return raft;
  }

  start(node: ScriptNode): void {
    const { disk } = node;
    const last = disk.entries.at(-1);
    node.pending = [];
    node.before = null;
    node.life++;
    node.applied.length = 0;
    const { id } = node;
    node.raft = new Raft({
      id,
      restored: {
        hardState: disk.hardState,
        last: { index: last?.index ?? 0, term: last?.term ?? 0 },
        lastTime: last?.time ?? 0,
        lastApplied: disk.lastApplied,
        configurations: disk.configurations,
      },
      log: {
        entries: (from, to, maxBytes) => cutOff(disk.entries.slice(from - 1, to), maxBytes),
        term: (index) => disk.entries[index - 1]?.term ?? 0,
      },
      random: () => 0.5,
      fatal: (message) => {
        node.poisoned = message;
      },
      heartbeatMs: 100,
      electionMs: 500,
      now: node.now,
      ...this.options,
      ...this.optionsOf.get(idOf(id)),
    });
  }

  crash(id: ReplicaId): void {
    const node = this.node(id);
    node.raft = null;
    node.pending = [];
    this.ledger.crashed(node.id);
  }

  /** One event on one node, and everything that it owes afterwards. */
  step(id: ReplicaId, event: DistributiveOmit<Event, "now">): void {
    const node = this.node(id);
    if (node.raft === null) return;
    node.raft.step({ ...event, now: node.now });
    this.drain(node);
  }

  /** One node's clock alone moves on. */
  tick(id: ReplicaId, ms: number): void {
    this.age(id, ms);
    this.step(id, { type: "tick" });
  }

  age(id: ReplicaId, ms: number): void {
    this.node(id).now += ms;
    this.#aloneMs.set(id, (this.#aloneMs.get(id) ?? 0) + ms);
  }

  read(id: ReplicaId, number: number): Result<void> {
    const result = this.raft(id).read(number);
    if (result.ok) this.ledger.readAsked(id, number);
    return result;
  }

  drain(node: ScriptNode): void {
    for (;;) {
      const ready = node.raft?.ready() ?? null;
      if (ready === null) break;
      this.#carryOut(node, ready);
    }
    this.check();
  }

  /** The slow disk of a node catches up. */
  flush(node: ScriptNode): void {
    for (const ready of node.pending.splice(0)) this.#persist(node, ready);
    this.drain(node);
  }

  partition(groups: readonly (readonly ReplicaId[])[]): void {
    this.#cut.clear();
    for (const group of groups) {
      for (const other of groups) {
        if (group === other) continue;
        for (const from of group) for (const to of other) this.cut(from, to);
      }
    }
  }

  cut(from: ReplicaId, to: ReplicaId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Delivers one message if its link is up and its receiver is there. */
  deliver({ message, life }: Wire): void {
    const receiver = this.nodes.get(message.to);
    const down = receiver?.raft == null;
    if (receiver !== undefined && receiver.life > life) receiver.hauntedIn = message.term;
    const dropped = this.#cut.has(`${idOf(message.from)}>${idOf(message.to)}`) || down;
    this.trace.push(showMessage(message) + (dropped ? " (dropped)" : ""));
    if (!dropped) this.step(message.to, { type: "message", message });
  }

  /** Delivers until nothing is on its way; `only` limits it to messages from those nodes or to them. */
  stabilize(only: readonly ReplicaId[] | null = null): void {
    for (let delivered = 0;; delivered++) {
      if (delivered > 5000) throw new Error("the wire does not come to rest");
      const at = this.wire.findIndex(({ message }) =>
        only === null || only.includes(idOf(message.from)) && only.includes(idOf(message.to)) ||
        only.includes(idOf(message.from)) && this.#cut.has(`${idOf(message.from)}>${idOf(message.to)}`)
      );
      if (at < 0) return;
      const [next] = this.wire.splice(at, 1);
      if (next !== undefined) this.deliver(next);
    }
  }

  /** Everybody's clock moves in steps of 10 ms, with ticks, and messages arrive in between. */
  wait(ms: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      for (const node of this.nodes.values()) {
        node.now += 10;
        if (node.raft !== null) this.step(node.id, { type: "tick" });
      }
      this.stabilize();
    }
  }

  /** Makes `id` campaign, everybody else having heard of no leader for long. */
  campaign(id: ReplicaId): void {
    for (const node of this.nodes.values()) node.now += 1000;
    this.step(id, { type: "tick" });
  }

  check(): void {
    const views = [];
    const apartMs = Math.max(0, ...this.#aloneMs.values());
    for (const node of this.nodes.values()) {
      if (node.raft === null) continue;
      if (node.poisoned !== null) throw new Error(node.poisoned);
      const status = node.raft.status();
      const broken = brokenState(status);
      if (node.before !== null) broken.push(...brokenChange(node.before, status));
      if (broken.length > 0) throw new Error(broken.join("; "));
      if (!this.forged) this.ledger.check(node, status, node.before);
      if (apartMs === 0) this.ledger.checkFreshness(node);
      // Of an election timeout of 500 ms a tenth is what leases leave for drift.
      if (apartMs < 50) this.ledger.checkLease(node);
      node.before = status;
      const raft = node.raft;
      views.push({ status, termAt: (index: number) => raft.termAt(index) });
    }
    const broken = brokenCluster(views);
    if (broken.length > 0) throw new Error(broken.join("; "));
  }

  #carryOut(node: ScriptNode, ready: Ready): void {
    if (ready.softState !== null) {
      const { role, currentTerm, leaderId } = ready.softState;
      const leader = leaderId === null ? "none" : idOf(leaderId);
      this.trace.push(`${idOf(node.id)} is ${role} in term ${currentTerm}, leader ${leader}`);
    }
    this.#send(node, ready.messages);
    if (node.diskIsSlow) node.pending.push(ready);
    else this.#persist(node, ready);
    for (const entry of ready.committed) {
      node.applied.push(entry);
      this.ledger.applied(node, entry);
      this.trace.push(`${idOf(node.id)} apply ${showEntry(entry)}`);
    }
    for (const { id, index } of ready.reads) {
      this.ledger.readAnswered(node.id, id, index);
      this.trace.push(`${idOf(node.id)} read ${id} ${index === null ? "refused" : `safe at ${index}`}`);
    }
  }

  #persist(node: ScriptNode, ready: Ready): void {
    const { disk } = node;
    const first = ready.entries[0];
    const notes = [];
    if (ready.hardState !== null) {
      const before = disk.hardState;
      disk.hardState = ready.hardState;
      const { currentTerm, votedFor, withholdMs } = ready.hardState;
      if (currentTerm !== before.currentTerm || votedFor !== before.votedFor) {
        notes.push(`term=${currentTerm} vote=${votedFor === null ? "none" : idOf(votedFor)}`);
      }
      // Everywhere the same it says nothing; where timings differ it is the story.
      if (withholdMs !== before.withholdMs && this.optionsOf.size > 0) notes.push(`withhold=${withholdMs}`);
    }
    if (first !== undefined) {
      disk.entries = [...disk.entries.slice(0, first.index - 1), ...ready.entries];
      notes.push(ready.entries.map(showPosition).join(" "));
    }
    if (ready.configurations !== null) disk.configurations = ready.configurations;
    if (notes.length > 0) this.trace.push(`${idOf(node.id)} persist ${notes.join(" ")}`);
    this.#send(node, ready.messagesAfterPersist);
    const last = disk.entries.at(-1) ?? { index: 0, term: 0 };
    node.raft?.step({
      type: "persisted",
      now: node.now,
      number: ready.number,
      last: { index: last.index, term: last.term },
    });
  }

  #send(node: ScriptNode, messages: readonly Message[]): void {
    for (const message of messages) {
      this.ledger.sent(node, message);
      this.wire.push({ message, number: ++this.#sent, life: this.nodes.get(message.to)?.life ?? 0 });
    }
  }
}

/** As many of the first entries as fit, at least one. */
function cutOff(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  let bytes = 0;
  const end = entries.findIndex((entry, at) => (bytes += entryBytes(entry)) > maxBytes && at > 0);
  return end < 0 ? entries : entries.slice(0, end);
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
