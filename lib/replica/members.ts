// Everything about who belongs to the cluster, in one place for the replica: gossip, being let in, the leader's changes,
// people's requests on any node, and noticing that this node was removed.
import { type ConfigurationAt, isMember, type ReplicaId } from "../raft/mod.ts";
import { Admission } from "./admission.ts";
import { Administration } from "./administration.ts";
import type { DirectoryEntry, ReplicaStatus } from "./api.ts";
import { Contacts } from "./contacts.ts";
import { departMs } from "./departures.ts";
import { mendRefused } from "./identity.ts";
import { Gossiping } from "./gossiping.ts";
import {
  type AdminOutcome,
  type AdminRequest,
  decodeMembership,
  encodeMembership,
  type MembershipMessage,
} from "./membership-messages.ts";
import { Membership, type MembershipPicture } from "./membership.ts";
import type { NodeRecord } from "./node-record.ts";
import type { DurablyOut, ReplicaOptions } from "./options.ts";
import { refuse } from "./plan.ts";
import type { LinkRefusal, PeerIdentity } from "./ports.ts";
import { isRemoved } from "./removal.ts";
import type { Running } from "./running.ts";

export type MembersOptions = {
  readonly options: ReplicaOptions<never, unknown>;
  readonly now: () => number;
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
  /** Writes and reads that have not ended. */
  readonly underWay: () => number;
  /** null until it takes part, or is being brought up. */
  readonly running: () => Running | null;
  /** First start: a cluster exists already and this node is not in it, or it was given no list of nodes. */
  readonly hasToBeAdmitted: () => boolean;
  readonly hold: () => boolean;
  readonly onAdopted: () => void;
  readonly onOut: (out: DurablyOut) => void;
};

/** Between two looks at what the log says. */
const lookMs = 50;

export class Members {
  readonly #given: MembersOptions;
  readonly #gossiping: Gossiping;
  readonly #admission: Admission;
  readonly #administration: Administration;
  readonly #contacts: Contacts;
  #membership: { readonly of: Running; readonly changes: Membership } | null = null;
  readonly #clusters = new Map<ReplicaId, string>();
  #quietUntil = -Infinity;
  #quietFor: ReplicaId | null = null;
  #lookedAt = -Infinity;
  #ending = false;
  /** It has known a leader since its start. */
  #wasLed = false;

  constructor(given: MembersOptions) {
    const { options, guard, fail, running, hold, onAdopted } = given;
    const { identity, links, log, random, membership = {} } = options;
    const about = membership.about ?? (() => ({ url: "", region: "", software: "" }));
    this.#given = given;
    this.#contacts = new Contacts(given.now());
    this.#gossiping = new Gossiping({ identity, links, random, log, fail, about });
    this.#admission = new Admission({
      ...{ identity, links, log, guard, fail, hold, onAdopted },
      role: membership.role ?? "voter",
      mayAsk: () => identity.node.started || this.asks,
      onTaken: (sentence) => options.out?.({ why: "taken", sentence }),
      ask: (peer, role) => this.#send(peer, { type: "Join", role }),
    });
    this.#administration = new Administration({
      self: identity.replica,
      leaderId: () => running()?.leaderId ?? null,
      perform: (request, deadline, done) => this.#changes()?.ask(request, deadline, done),
      forward: (to, requestId, request, timeoutMs) =>
        this.#send(to, { type: "Admin", requestId, request, timeoutMs }),
    });
  }

  /** It has been a member once, and may serve. */
  get entered(): boolean {
    return this.#admission.entered;
  }

  get caughtUp(): boolean {
    return this.#admission.caughtUp;
  }

  /** Without a cluster of its own it asks others to be let in, or soon will. */
  get asks(): boolean {
    const { membership, expected } = this.#given.options;
    return membership?.join === true ||
      (expected.length > 0 || membership?.discovers === true) && this.#given.hasToBeAdmitted();
  }

  get waitingFor(): string {
    const { refused } = this.#given.options.identity.node;
    return refused === undefined ? this.#admission.waitingFor : `${refused}; ${mendRefused}`;
  }

  directory(now: number): readonly DirectoryEntry[] {
    return this.#gossiping.directory(now).map(({ software, heardAt, ...item }) => ({
      ...{ ...item, version: software },
      ageMs: heardAt === -Infinity ? null : Math.max(0, now - heardAt),
    }));
  }

  /** What is going on with members, for people. */
  picture(): Partial<MembershipPicture> & Pick<ReplicaStatus, "contacts" | "watchedMs"> {
    const now = this.#given.now();
    return {
      contacts: this.#contacts.all(now),
      watchedMs: this.#contacts.watchedMs(now),
      ...this.#membership?.changes.picture(now),
    };
  }

  checkpoint(index: number, hash: string): void {
    this.#gossiping.checkpoint(index, hash);
  }

  /** Whether what this peer says is about our cluster: a link may be older than the cluster that its end is in by now. */
  concernsUs(from: ReplicaId): boolean {
    const theirs = this.#clusters.get(from);
    const ours = this.#given.options.identity.clusterId;
    return theirs === undefined || ours === null || theirs === ours;
  }

  up({ replica, clusterId }: PeerIdentity): void {
    if (clusterId !== null) this.#clusters.set(replica, clusterId);
  }

  down({ replica }: PeerIdentity): void {
    this.#clusters.delete(replica);
    this.#administration.linkLost(replica);
  }

  /** Only the word of a member of its own cluster counts: it remembers a start that this folder does not go on from. */
  refusedByPeer({ code, sentence, clusterId }: LinkRefusal): void {
    const { clusterId: ours } = this.#given.options.identity.node;
    if (code !== "stale_folder" || clusterId === null || clusterId !== ours || this.#ending) return;
    const { log } = this.#given.options;
    log(
      "error",
      `a member of the cluster refuses this node for good: ${sentence}. What to do: ${mendRefused}`,
    );
    this.#end({ refused: sentence }, { why: "refused" });
  }

  gossip(from: ReplicaId, payload: Uint8Array): void {
    if (this.#given.options.identity.clusterId !== null) {
      this.#gossiping.receive(from, payload, this.#given.now());
    }
  }

  message(from: ReplicaId, payload: Uint8Array): void {
    const message = decodeMembership(payload);
    if (message === null) return;
    const now = this.#given.now();
    switch (message.type) {
      case "Join":
        this.#changes()?.join(from, message.role, now);
        break;
      case "JoinReply":
        if (this.#given.options.identity.node.started || this.#mayAdopt()) {
          this.#admission.reply(from, message.outcome, now);
        }
        break;
      case "Depart":
        this.#quietUntil = now + departMs;
        this.#quietFor = from;
        break;
      case "Departing":
        this.#changes()?.departing(from, message.underWay, now);
        break;
      case "Admin":
        this.#perform(from, message.requestId, message.request, now + message.timeoutMs);
        break;
      case "AdminReply":
        this.#administration.reply(from, message);
    }
  }

  administer(request: AdminRequest, timeoutMs: number): Promise<AdminOutcome> {
    return new Promise((resolve) => {
      // Who is still being let in may at least leave again.
      const leaves = request.type === "remove" && request.id === this.#self;
      if (this.#given.running() === null || !(this.entered || leaves)) {
        return resolve(
          refuse("unavailable", "this node takes no part in a cluster just now; nothing was done"),
        );
      }
      this.#given.guard(() => this.#administration.ask(request, this.#given.now(), timeoutMs, resolve));
    });
  }

  /** Told that it is about to be removed: it takes no more writes. */
  get departs(): boolean {
    return this.#quietFor !== null;
  }

  #maybeDepart(now: number): void {
    if (this.#quietFor === null) return;
    this.#send(this.#quietFor, { type: "Departing", underWay: this.#given.underWay() });
    if (now >= this.#quietUntil) this.#quietFor = null;
  }

  tick(now: number): void {
    this.#maybeDepart(now);
    this.#administration.tick(now);
    this.#changes()?.tick(now);
    if (now - this.#lookedAt < lookMs) return;
    this.#lookedAt = now;
    this.#contacts.look(now, this.#given.options.links);
    const running = this.#given.running();
    const committed = running === null ? null : this.#heed(running);
    // Who was removed for good does not ask again: the next leader knows nothing of people's word and would let it in.
    if (this.#given.options.identity.out === null) this.#admission.tick(now, committed);
    if (running === null) return;
    this.#gossiping.tick(now, this.#admission.role);
    this.#noticeRemoval(committed);
  }

  /** Takes over what the log says; returns the newest configuration when it is known to be committed. */
  #heed(running: Running): ConfigurationAt | null {
    const { currentTerm, leaderId, configuration, configurationUncommitted } = running.status();
    this.#gossiping.led(currentTerm, leaderId);
    if (leaderId !== null) this.#wasLed = true;
    if (configurationUncommitted) return null;
    // Before anything was committed here, the first configuration is only where the log of a newcomer begins.
    if (configuration.index > 0 || isMember(configuration.configuration, this.#self)) {
      this.#gossiping.configured(configuration);
    }
    return configuration;
  }

  #noticeRemoval(committed: ConfigurationAt | null): void {
    const { identity, log } = this.#given.options;
    const { memberSince } = this.#admission;
    const since = this.entered ? Math.max(identity.node.entered ?? 0, memberSince ?? 0) : memberSince;
    if (this.#ending || since === null) return;
    const news = this.#gossiping.configuration;
    const known = [committed, news === null ? null : { index: news.index, configuration: news }];
    if (!isRemoved(this.#self, since, known)) return;
    log("warning", "this node was removed from the cluster: it takes part no more");
    this.#end({ removed: true }, { why: "removed", away: !this.#wasLed });
  }

  /** Durably out, before anybody is told. */
  #end(change: Partial<NodeRecord>, out: DurablyOut): void {
    this.#ending = true;
    const { options, fail, guard, onOut } = this.#given;
    options.identity.save(change, (error) => {
      guard(() => error === null ? onOut(out) : fail(`the log cannot be written: ${error.message}`));
    });
  }

  get #self(): ReplicaId {
    return this.#given.options.identity.replica;
  }

  /** A node that was given nothing to form a cluster with may be let in by anybody's word. */
  #mayAdopt(): boolean {
    return this.asks || this.#given.options.expected.length === 0;
  }

  #perform(from: ReplicaId, requestId: number, request: AdminRequest, deadline: number): void {
    const reply = (outcome: AdminOutcome) =>
      void this.#send(from, { type: "AdminReply", requestId, outcome });
    const changes = this.#changes();
    if (changes === null || !changes.leads) {
      return reply({ ok: false, reason: "not_leader", detail: "this node does not lead" });
    }
    changes.ask(request, deadline, reply);
  }

  /** The leader's part; there is none before this node takes part. */
  #changes(): Membership | null {
    const running = this.#given.running();
    if (running === null) return null;
    if (this.#membership?.of !== running) {
      const { options } = this.#given;
      const { identity, links, log, electionMs, membership } = options;
      const changes = new Membership({
        ...{ self: identity.replica, links, log, electionMs },
        clusterId: () => identity.clusterId ?? "",
        record: () => identity.node.record ?? [],
        removeDeadAfterMs: membership?.removeDeadAfterMs ?? null,
        status: () => running.status(),
        termAt: (index) => running.termAt(index),
        propose: ({ voters, learners }) => running.changeConfiguration(voters, learners),
        transfer: (to) => running.transfer(to),
        depart: (replica) => void this.#send(replica, { type: "Depart" }),
        reply: (to, outcome) => void this.#send(to, { type: "JoinReply", outcome }),
      });
      this.#membership = { of: running, changes };
    }
    return this.#membership.changes;
  }

  #send(to: ReplicaId, message: MembershipMessage): boolean {
    const payload = encodeMembership(message);
    return this.#given.options.links.send(to, { type: "Membership", payload }, "control");
  }
}
