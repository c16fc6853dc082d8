// The course simulator's front door (docs/adapters.md): one JSON object a datagram, `get` and `put` of clients who never
// give up, messages that are counted. Whoever leads when an entry is applied answers its client; a leader answers gets on
// its lease; everybody else sends clients to a leader it has just heard from, or lets them wait for one.
import { getItem, type KvAnswer, type KvQuery } from "../kv/mod.ts";
import type { ReplicaId } from "../raft/mod.ts";
import type { Applied } from "../replica/api.ts";
import type { Replica } from "../replica/replica.ts";
import { askerOf, datacenterMachine, encodePut, valueQuery } from "./datacenter-entry.ts";
import { type JsonObject, parseObject } from "./json.ts";
import { type Host, memoryReplica, type TimingProfile } from "./memory-replica.ts";
import { isWire } from "./wire.ts";
import { WireLinks } from "./wire-links.ts";

/** Everybody, and nobody known. */
const anybody = "FFFF";

/** Messages are dear and travel in fractions of a millisecond. */
export const datacenterProfile: TimingProfile = {
  heartbeatMs: 400,
  electionMs: 1200,
  tickMs: 2,
  // In base64 and JSON this stays below the 65,507 bytes of a datagram.
  raft: { thrifty: true, retransmitMs: 4, maxMessageBytes: 40_000 },
};

/** No message may reach a replica that has not said hello: nothing is said for so long. Clients come after five seconds. */
const silenceMs = 2000;
/** A put that would not fit into one message between replicas is refused. */
const maxEntryBytes = 48_000;
/** How often clients that wait are looked at, ms. */
const holdMs = 5;
/** So many of them go on at a time: when a partition ends, a hundred of them at once would wait for each other at the leader. */
const maxReleased = 4;
/** Clients do not give up, so neither do we. */
const patienceMs = 3_600_000;
/** A get that finds neither lease nor majority asks again who leads. */
const readMs = 1000;
/** A client that comes back so often without a word of the leader in between has to wait for one. */
const maxRedirects = 3;

type Request =
  & { readonly client: string; readonly mid: string; readonly key: string }
  & (
    | { readonly type: "get" }
    | { readonly type: "put"; readonly value: string }
  );

export type DatacenterOptions = {
  readonly host: Host;
  readonly id: string;
  /** The other replicas' ids. */
  readonly others: readonly string[];
  /** Sends one datagram to the simulator. */
  readonly send: (datagram: string) => void;
};

export class Datacenter {
  readonly #options: DatacenterOptions;
  readonly #links: WireLinks;
  readonly #replica: Replica<KvQuery, KvAnswer>;
  #held: { readonly request: Request; readonly since: number }[] = [];
  /** Redirects by client since the leader was last heard. */
  readonly #redirects = new Map<string, number>();
  #redirectsSince = -Infinity;

  constructor(options: DatacenterOptions) {
    const { host, id, others } = options;
    const ids = [id, ...others];
    this.#options = options;
    this.#links = new WireLinks({
      self: id,
      members: ids,
      deliver: (dst, wire) => this.#send(dst, wire),
      soon: host.soon,
      now: () => host.clock.monotonic(),
    });
    this.#replica = memoryReplica({
      ...{ host, id, ids, links: this.#links },
      machine: datacenterMachine,
      profile: datacenterProfile,
    });
    this.#replica.subscribe((applied) => this.#applied(applied));
  }

  /** Says hello and, once everybody must have done so, begins to take part. */
  start(): void {
    this.#send(anybody, { type: "hello" });
    this.#options.host.scheduler.after(silenceMs, () => this.#replica.start());
  }

  /** One datagram of the simulator. */
  receive(datagram: string): void {
    const message = parseObject(datagram);
    const { src, type } = message ?? {};
    if (message === null || typeof src !== "string") return this.#ignore(datagram);
    if (isWire(message)) {
      if (!this.#links.receive(src, message)) this.#ignore(datagram);
      return;
    }
    if (type === "hello") return;
    const request = requestOf(src, message);
    if (request === null) this.#ignore(datagram);
    else this.#route(request);
  }

  #route(request: Request): void {
    const { role, leaderId } = this.#replica.status();
    if (role === "leader") return request.type === "put" ? this.#put(request) : this.#get(request);
    const heardAt = this.#heardAt(leaderId);
    if (heardAt === null) this.#hold(request);
    else if (this.#comesBack(request.client, heardAt)) this.#hold(request, heardAt);
    else this.#reply(request, { type: "redirect" });
  }

  /** When the leader was heard, if that is so lately that clients may be sent to it; else null. */
  #heardAt(leaderId: ReplicaId | null): number | null {
    const heardAt = leaderId === null ? -Infinity : this.#links.heardAt(leaderId);
    const ageMs = this.#options.host.clock.monotonic() - heardAt;
    return ageMs <= datacenterProfile.heartbeatMs * 1.5 ? heardAt : null;
  }

  /** A client that comes back again and again finds nobody there: it has to wait for a sign of the leader. */
  #comesBack(client: string, heardAt: number): boolean {
    if (heardAt !== this.#redirectsSince) this.#redirects.clear();
    this.#redirectsSince = heardAt;
    const redirects = (this.#redirects.get(client) ?? 0) + 1;
    this.#redirects.set(client, redirects);
    return redirects > maxRedirects;
  }

  /** Its client is answered when the entry is applied, by whoever leads then. */
  #put(request: Request & { type: "put" }): void {
    const entry = encodePut(request, request.key, request.value);
    if (entry.byteLength > maxEntryBytes) return this.#reply(request, { type: "fail" });
    this.#replica.propose(entry, { timeoutMs: patienceMs }).then((outcome) => {
      // Definitely not done: whoever leads now may do it.
      if (outcome.type === "refused") this.#hold(request);
      else if (outcome.type === "unknown") {
        this.#options.host.log("warning", "a put whose ending is not known", { mid: request.mid });
      }
    });
  }

  /**
   * A replica that is deposed while it waits would be given leave by its successor, and show a value whose ok is still on
   * its way, or none any more: clients expect what was the newest when the answer comes, which only who leads can tell.
   */
  #get(request: Request): void {
    const { term } = this.#replica.status();
    this.#replica.read({ type: "lease" }, { timeoutMs: readMs }).then((permit) => {
      const now = this.#replica.status();
      if (!permit.ok || now.role !== "leader" || now.term !== term) return this.#hold(request);
      const item = getItem(this.#replica, valueQuery(request.key));
      const value: unknown = item === null ? "" : JSON.parse(new TextDecoder().decode(item.value));
      this.#reply(request, { type: "ok", value });
    });
  }

  /** In the turn in which the state changes, so that no get overtakes it. */
  #applied({ type, command }: Applied): void {
    if (type !== "command" || this.#replica.status().role !== "leader") return;
    this.#reply(askerOf(command), { type: "ok" });
  }

  /** Until a leader is known that was heard after `since`, or this replica leads. */
  #hold(request: Request, since = -Infinity): void {
    this.#held.push({ request, since });
    if (this.#held.length === 1) this.#options.host.scheduler.after(holdMs, () => this.#release());
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    const { role, leaderId } = this.#replica.status();
    const heardAt = this.#heardAt(leaderId);
    let released = 0;
    for (const { request, since } of held) {
      const leads = role === "leader";
      const mayGo = leads || (heardAt !== null && heardAt > since);
      if (!mayGo || released === maxReleased) {
        this.#hold(request, since);
        continue;
      }
      released++;
      if (leads) this.#route(request);
      else this.#reply(request, { type: "redirect" });
    }
  }

  #reply({ client, mid }: Pick<Request, "client" | "mid">, answer: JsonObject): void {
    this.#send(client, { ...answer, MID: mid });
  }

  #send(dst: string, message: JsonObject): void {
    const leader = this.#replica.status().leaderId ?? anybody;
    this.#options.send(JSON.stringify({ src: this.#options.id, dst, leader, ...message }));
  }

  #ignore(datagram: string): void {
    this.#options.host.log("warning", "a datagram that is no message of the protocol", {
      datagram: datagram.slice(0, 200),
    });
  }
}

/** Key and value as JSON text, so that nothing about them is assumed; null = not a request. */
function requestOf(client: string, message: JsonObject): Request | null {
  const { type, MID: mid, key, value } = message;
  if (typeof mid !== "string" || key === undefined) return null;
  const asked = { client, mid, key: JSON.stringify(key) };
  if (type === "get") return { type, ...asked };
  return type === "put" && value !== undefined ? { type, ...asked, value: JSON.stringify(value) } : null;
}
