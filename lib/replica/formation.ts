// The first start of a cluster (design §5), as a pure state machine: from a list of expected ids to one record of
// (id, incarnation) that every listed node has made durable, and by which alone they vote.
//
// Why a record is never started from by two sets: a node starts from record R only after every listed peer stated R *and*
// stated that it had seen this node's own R (its `attempt`, drawn anew for each record and each start). Had two nodes that
// list each other started from R and from Q, each would have moved to its last record before the other did: impossible.
import { idOf, type ReplicaId } from "../raft/mod.ts";
import { clusterIdOf } from "./cluster-id.ts";
import type { Formation as Statement } from "./peer-messages.ts";
import type { Random } from "./ports.ts";

export type FormationOptions = {
  readonly self: ReplicaId;
  /** Ids to form a cluster with, itself included or not; empty = wait to be admitted. */
  readonly expected: readonly string[];
  /** What is on disk. */
  readonly record: readonly ReplicaId[] | null;
  readonly started: boolean;
  readonly random: Random;
};

/** To be made durable, then reported by saved(). */
export type FormationSave = {
  readonly record: readonly ReplicaId[];
  readonly started: boolean;
  readonly clusterId: string;
};

export class Formation {
  readonly #self: ReplicaId;
  #expected: readonly string[];
  readonly #random: Random;
  #record: readonly ReplicaId[] | null;
  #started: boolean;
  #attempt: number;
  /** With discovery there is no list: it is who was heard from, and `atLeast` so many (null = nobody may yet). */
  #discovering = false;
  #atLeast: number | null = null;
  /** Who answered at each address that was found; null = nobody yet. */
  #behind: readonly (ReplicaId | null)[] = [];
  #saving: FormationSave | null = null;
  /** Connected peers in the order in which they came, and what each said last. */
  readonly #peers = new Map<ReplicaId, Statement | null>();
  /** What was told to the peers last; they are told anew when it changes. */
  #told = "";

  constructor({ self, expected, record, started, random }: FormationOptions) {
    this.#self = self;
    this.#expected = expected.length === 0 ? [] : [...new Set([...expected, idOf(self)])].sort();
    this.#record = record;
    this.#started = started;
    this.#random = random;
    this.#attempt = this.#draw();
  }

  get started(): boolean {
    return this.#started;
  }

  get record(): readonly ReplicaId[] | null {
    return this.#record;
  }

  /**
   * A cluster exists already that this node is not in, or it was given nothing to form one with: it has to be admitted.
   */
  get hasToBeAdmitted(): boolean {
    return !this.#started && this.#saving === null &&
      (this.#expected.length === 0 || this.#stranger() !== null);
  }

  /**
   * Without a list: whoever is found forms the cluster, once there are so many; null = not for now. More than half of all
   * machines have to be asked for, or two clusters could form: `behind` tells who answered at each address, null = nobody.
   */
  discovering(atLeast: number | null, behind: readonly (ReplicaId | null)[] = []): void {
    this.#discovering = true;
    this.#atLeast = atLeast;
    this.#behind = behind;
  }

  /**
   * Machines, not addresses: a replica with two of them is one, also one that speaks up and stands behind no address (any
   * more); those that only wait to be let in are none.
   */
  #machines(): { readonly nodes: number; readonly silent: number } {
    const answered = this.#behind.filter((replica) => replica !== null);
    const all = new Set([this.#self, ...this.#said().map(({ peer }) => peer), ...answered]);
    return {
      nodes: [...all].filter((replica) => !this.#abstains(replica)).length,
      silent: this.#behind.filter((replica) => replica === null).length,
    };
  }

  #abstains(replica: ReplicaId): boolean {
    const said = this.#peers.get(replica) ?? null;
    return said !== null && !said.started && said.expected.length === 0;
  }

  /** So few are expected that two clusters could form: a mistake that waiting does not mend. */
  get expectsTooFew(): boolean {
    return this.#atLeast !== null && 2 * this.#atLeast <= this.#machines().nodes;
  }

  #tooFew(): string | null {
    const { nodes, silent } = this.#machines();
    if (this.#atLeast === null || 2 * this.#atLeast > nodes + silent) return null;
    if (!this.expectsTooFew) {
      return `${silent} of the addresses found do not answer: together with the ${nodes} nodes that do, ` +
        `${this.#atLeast} (--expect) would not be more than half`;
    }
    return `--expect ${this.#atLeast} is not more than half of the ${nodes} nodes found: two clusters could form. ` +
      `Give --expect ${Math.floor(nodes / 2) + 1} or more`;
  }

  /** It was admitted to a cluster that began with this record. */
  admitted(record: readonly ReplicaId[]): void {
    this.#record = record;
    this.#started = true;
    this.#saving = null;
    this.#attempt = this.#draw();
  }

  peerUp(peer: ReplicaId): void {
    this.#peers.set(peer, null);
  }

  peerDown(peer: ReplicaId): void {
    this.#peers.delete(peer);
  }

  heard(from: ReplicaId, statement: Statement): void {
    this.#peers.set(from, statement);
  }

  /**
   * With discovery: everybody who was heard from and wants to take part. Whoever stands in this node's durable record stays
   * in, so that the records that a node ever makes are never of two sets that do not know each other.
   */
  #discover(): void {
    if (!this.#discovering || this.#started) return;
    const willing = this.#said().filter(({ said }) => said.started || said.expected.length > 0);
    const ids = [
      ...willing.map(({ peer }) => idOf(peer)),
      ...(this.#record ?? []).map(idOf),
      idOf(this.#self),
    ];
    this.#expected = [...new Set(ids)].sort();
  }

  /** What has to be durable before anything more is said; the same until saved() is called, null = nothing. */
  save(): FormationSave | null {
    if (this.#started || this.#saving !== null) return null;
    const step = this.#next();
    this.#saving = typeof step === "string" ? null : step;
    return this.#saving;
  }

  get isSaving(): boolean {
    return this.#saving !== null;
  }

  saved(): void {
    if (this.#saving === null) throw new Error("formation: nothing was to be saved");
    this.#record = this.#saving.record;
    this.#started = this.#saving.started;
    this.#attempt = this.#draw();
    this.#saving = null;
  }

  /** What this node says of itself; only durable things. */
  statement(): Statement {
    this.#discover();
    const agreed = [...this.#peers.values()].flatMap((said) =>
      said !== null && !said.started && this.#same(said.record) ? [said.attempt] : []
    );
    return {
      type: "Formation",
      expected: this.#expected,
      record: this.#record,
      attempt: this.#attempt,
      agreed,
      started: this.#started,
    };
  }

  /** The statement if it differs from the one returned last, else null. */
  news(): Statement | null {
    const statement = this.statement();
    const told = JSON.stringify(statement);
    if (told === this.#told) return null;
    this.#told = told;
    return statement;
  }

  /** What is missing, as a sentence; null when started. */
  waitingFor(): string | null {
    if (this.#started) return null;
    if (this.#saving !== null) return "the record of the cluster is being written";
    const step = this.#next();
    return typeof step === "string" ? step : "the record of the cluster is about to be written";
  }

  /** The next durable step, or why there is none. */
  #next(): FormationSave | string {
    this.#discover();
    const startedPeers = this.#said().filter(({ said }) => said.started && said.record !== null);
    for (const { said } of startedPeers) {
      if (said.record?.includes(this.#self)) return this.#saveOf(said.record, true);
    }
    const stranger = this.#stranger();
    if (stranger !== null) {
      return `${idOf(stranger.peer)} has started already, in a cluster of ${
        names(stranger.said.record ?? [])
      } that does not know this data folder: this node has to be admitted`;
    }
    if (this.#expected.length === 0) {
      return "this node was given no list of nodes: it waits to be admitted to a cluster";
    }
    if (this.#discovering && this.#expected.length < (this.#atLeast ?? Infinity)) {
      const wanted = this.#atLeast === null ? "more" : this.#atLeast;
      return `discovered so far: ${this.#expected.join(", ")}; ${wanted} are needed`;
    }
    const tooFew = this.#discovering ? this.#tooFew() : null;
    if (tooFew !== null) return tooFew;
    return this.#contradiction() ?? this.#agree();
  }

  /** A node that this one was to form a cluster with, and that is in one already. */
  #stranger(): { readonly peer: ReplicaId; readonly said: Statement } | null {
    return this.#said().find(({ peer, said }) =>
      said.started && said.record !== null && !said.record.includes(this.#self) &&
      (this.#expected.length === 0 || this.#expected.includes(idOf(peer)))
    ) ?? null;
  }

  /** Peers that were told something else, and ids that two nodes claim. */
  #contradiction(): string | null {
    const seen = new Map<string, ReplicaId>();
    for (const { peer, said } of this.#said()) {
      const id = idOf(peer);
      if (seen.has(id)) return `two nodes call themselves ${id}: stop one of them`;
      seen.set(id, peer);
      const mine = this.#expected.join(", ");
      // Members of a cluster that has grown, and nodes that only wait to be let in, have no part in this.
      if (!this.#expected.includes(id) && (said.started || said.expected.length === 0)) continue;
      if (!this.#expected.includes(id)) {
        return `${id} wants to take part, but this node was told to form a cluster of ${mine}`;
      }
      if (this.#discovering && said.expected.join() !== this.#expected.join()) {
        return `${id} has discovered other nodes than this one so far`;
      }
      if (said.expected.join() !== this.#expected.join()) {
        const theirs = said.expected.length === 0 ? "no cluster" : `a cluster of ${said.expected.join(", ")}`;
        return `${id} was told to form ${theirs}, this node one of ${mine}: give all the same list`;
      }
    }
    return null;
  }

  /** All expected ids heard from → the same record everywhere → started. */
  #agree(): FormationSave | string {
    const present = this.#said();
    const found = this.#expected.map((id) =>
      id === idOf(this.#self) ? this.#self : present.find(({ peer }) => idOf(peer) === id)?.peer ??
        this.#record?.find((listed) => idOf(listed) === id)
    );
    const missing = this.#expected.filter((_, at) => found[at] === undefined);
    if (missing.length > 0) return `not heard from yet: ${missing.join(", ")}`;
    const wanted = found.filter((replica) => replica !== undefined).sort();
    if (!this.#same(wanted)) return this.#saveOf(wanted, false);
    const silent = wanted.filter((replica) => replica !== this.#self && !this.#agrees(replica));
    if (silent.length > 0) return `the same record is not confirmed yet by ${names(silent)}`;
    return this.#saveOf(wanted, true);
  }

  #agrees(peer: ReplicaId): boolean {
    const said = this.#peers.get(peer) ?? null;
    return said !== null && this.#same(said.record) && said.agreed.includes(this.#attempt);
  }

  #same(record: readonly ReplicaId[] | null): boolean {
    return record !== null && this.#record !== null && record.join("\n") === this.#record.join("\n");
  }

  #said(): { peer: ReplicaId; said: Statement }[] {
    return [...this.#peers].flatMap(([peer, said]) => said === null ? [] : [{ peer, said }]);
  }

  #saveOf(record: readonly ReplicaId[], started: boolean): FormationSave {
    return { record, started, clusterId: clusterIdOf(record) };
  }

  #draw(): number {
    return Math.floor(this.#random() * 2 ** 48);
  }
}

function names(record: readonly ReplicaId[]): string {
  return record.map(idOf).join(", ");
}
