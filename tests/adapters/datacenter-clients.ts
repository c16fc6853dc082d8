// The clients of the simulator: what they ask, what they take for true, and what they count. They never give up, ask
// again after a redirect or fail under a new MID, and know a value as written once they got its ok.

export type Message = { readonly [field: string]: unknown };

type Pending = {
  readonly client: string;
  /** Whom it was sent to. */
  readonly dst: string;
  readonly key: string;
  /** null = a get. */
  readonly value: string | null;
  readonly sentAt: number;
  /** When it was asked for the first time, before redirects. */
  readonly beganAt: number;
};

export type ClientCounts = {
  gets: number;
  puts: number;
  answered: number;
  redirects: number;
  fails: number;
  duplicates: number;
  /** Each duplicate: the reply that counted, and the one that came after it. */
  duplicateReplies: string[];
  /** Of each message from its sending to its reply, as the simulator counts, ms. */
  latencies: number[];
  /** Of each request from its first sending to its ok, ms. */
  requestLatencies: number[];
  wrong: string[];
};

export const clientIds = ["0015", "0016", "0017", "0018", "0019", "001A", "001B", "001C"];

const anybody = "FFFF";

export class Clients {
  readonly counts: ClientCounts = {
    ...{ gets: 0, puts: 0, answered: 0, redirects: 0, fails: 0, duplicates: 0 },
    ...{ duplicateReplies: [], latencies: [], requestLatencies: [], wrong: [] },
  };
  readonly #random: () => number;
  readonly #forgetful: boolean;
  readonly #living: () => readonly string[];
  readonly #send: (message: Message) => void;
  readonly #leaders = new Map<string, string>();
  readonly #pending = new Map<string, Pending>();
  readonly #completed = new Map<string, string>();
  readonly #items = new Map<string, string>();

  constructor(options: {
    readonly random: () => number;
    readonly forgetful: boolean;
    readonly living: () => readonly string[];
    readonly send: (message: Message) => void;
  }) {
    this.#random = options.random;
    this.#forgetful = options.forgetful;
    this.#living = options.living;
    this.#send = options.send;
  }

  /** One more request: four of five are puts. */
  ask(now: number): void {
    const client = this.#pick(clientIds);
    const known = [...this.#items.keys()];
    const isGet = known.length > 0 && this.#random() < 0.2;
    const fresh = known.length === 0 || this.#random() < 0.5;
    const key = isGet || !fresh ? this.#pick(known) : this.#word(32);
    this.#begin({ client, key, value: isGet ? null : this.#word(32), sentAt: now, beganAt: now });
  }

  /** Nobody knows who leads: after a kill of the leader, and at hard partitions. */
  forget(): void {
    this.#leaders.clear();
  }

  /** How many requests this replica was sent and has not answered. */
  inHandsOf(id: string): number {
    return [...this.#pending.values()].filter(({ dst }) => dst === id).length;
  }

  get unanswered(): { gets: number; puts: number } {
    const pending = [...this.#pending.values()];
    const gets = pending.filter(({ value }) => value === null).length;
    return { gets, puts: pending.length - gets };
  }

  /** A reply. */
  deliver(message: Message, now: number): void {
    const { dst: client, MID: mid, type, leader } = message;
    const { counts } = this;
    if (typeof mid !== "string") return this.#wrong("a reply without MID", message);
    if (type !== "ok" && type !== "redirect" && type !== "fail") {
      return this.#wrong("an unknown type to a client", message);
    }
    const said = `${type} of ${message["src"]} at ${Math.round(now)}`;
    const completed = this.#completed.get(mid);
    if (completed !== undefined) {
      counts.duplicates++;
      counts.duplicateReplies.push(`${completed}, then ${said}`);
      return;
    }
    const request = this.#pending.get(mid);
    if (request === undefined || request.client !== client) return this.#wrong("an unknown MID", message);
    this.#pending.delete(mid);
    this.#leaders.set(request.client, String(leader));
    counts.latencies.push(now - request.sentAt);
    if (type !== "ok") {
      counts[type === "fail" ? "fails" : "redirects"]++;
      if (type === "redirect" && leader === anybody) this.#wrong("a redirect to nobody", message);
      return this.#begin({ ...request, sentAt: now });
    }
    this.#completed.set(mid, said);
    counts.answered++;
    counts.requestLatencies.push(now - request.beganAt);
    if (request.value !== null) this.#items.set(request.key, request.value);
    else if (this.#items.get(request.key) !== message["value"]) {
      this.#wrong(`a get of ${this.#items.get(request.key)}`, message);
    }
  }

  #begin(request: Omit<Pending, "dst">): void {
    const mid = this.#word(16);
    const { client, key, value } = request;
    if (value === null) this.counts.gets++;
    else this.counts.puts++;
    const living = this.#living();
    const known = this.#forgetful ? anybody : this.#leaders.get(client) ?? anybody;
    // What a redirect said is followed by forgetful clients too.
    const led = request.sentAt === request.beganAt ? known : this.#leaders.get(client) ?? anybody;
    const dst = living.includes(led) ? led : this.#pick(living);
    this.#pending.set(mid, { ...request, dst });
    this.#send({
      ...{ src: client, dst, leader: led, MID: mid, key },
      ...(value === null ? { type: "get" } : { type: "put", value }),
    });
  }

  #wrong(what: string, message: Message): void {
    this.counts.wrong.push(`${what}: ${JSON.stringify(message)}`);
  }

  #pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.#random() * from.length)];
    if (picked === undefined) throw new Error("nothing to choose from");
    return picked;
  }

  #word(length: number): string {
    const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    return Array.from({ length }, () => letters[Math.floor(this.#random() * letters.length)]).join("");
  }
}
