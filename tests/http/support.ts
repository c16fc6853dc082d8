// An app over a replica of one that is as small as can be: the real state machine, a log index that counts up, and
// endings that a test can script.
import { createApp, createMetrics, type RequestBindings } from "../../lib/http/mod.ts";
import type { AppOptions } from "../../lib/http/options.ts";
import { bunRuntime } from "../../lib/http/server.ts";
import { type KvAnswer, type KvQuery, kvStateMachine } from "../../lib/kv/mod.ts";
import type { AdminOutcome, AdminRequest } from "../../lib/replica/membership-messages.ts";
import type { Applied, Outcome, ReadPermit, ReplicaApi, ReplicaStatus } from "../../lib/replica/api.ts";
import type { Consistency } from "../../lib/replica/api.ts";
import { memoryOrderedStore } from "../../lib/memory/mod.ts";

export const TERM = 3;

export class OneReplica implements ReplicaApi<KvQuery, KvAnswer> {
  readonly #machine = kvStateMachine(memoryOrderedStore());
  readonly #listeners: ((applied: Applied) => void)[] = [];
  index = 1;
  /** What the next proposals and reads end with, instead of being carried out. */
  nextOutcome: Outcome | Promise<Outcome> | null = null;
  nextPermit: ReadPermit | Promise<ReadPermit> | null = null;
  /** Laid over the ordinary status. */
  picture: Partial<ReplicaStatus> = {};
  readonly timeouts: number[] = [];
  readonly consistencies: Consistency[] = [];
  transferred: (string | null)[] = [];

  propose(command: Uint8Array, { timeoutMs }: { readonly timeoutMs: number }): Promise<Outcome> {
    this.timeouts.push(timeoutMs);
    if (this.nextOutcome !== null) return Promise.resolve(this.nextOutcome);
    const index = ++this.index;
    const result = this.#machine.apply({ index, term: TERM, time: index, command: command.slice() });
    const position = { index, term: TERM };
    for (const listener of this.#listeners) {
      listener({ ...position, time: index, type: "command", command, result });
    }
    return Promise.resolve({ type: "done", ...position, result });
  }

  read(consistency: Consistency, { timeoutMs }: { readonly timeoutMs: number }): Promise<ReadPermit> {
    this.timeouts.push(timeoutMs);
    this.consistencies.push(consistency);
    return Promise.resolve(
      this.nextPermit ?? { ok: true, index: this.index, term: TERM, stalenessMs: 0 },
    );
  }

  query(query: KvQuery): KvAnswer {
    return this.#machine.query(query);
  }

  subscribe(listener: (applied: Applied) => void): () => void {
    this.#listeners.push(listener);
    return () => {};
  }

  administered: AdminRequest[] = [];
  /** What the next changes of the members end with. */
  nextAdmin: AdminOutcome = { ok: false, reason: "unavailable", detail: "alone" };

  administer(request: AdminRequest, { timeoutMs }: { readonly timeoutMs: number }): Promise<AdminOutcome> {
    this.administered.push(request);
    this.timeouts.push(timeoutMs);
    return Promise.resolve(this.nextAdmin);
  }

  directory() {
    return [];
  }

  transferLeadership(to: string | null) {
    this.transferred.push(to);
    return { ok: true as const, value: to ?? "n2~b" };
  }

  status(): ReplicaStatus {
    return {
      phase: "running",
      waitingFor: null,
      clusterId: "c1",
      replica: "n1~a",
      bootCount: 1,
      role: "leader",
      term: TERM,
      leaderId: "n1~a",
      commitIndex: this.index,
      appliedIndex: this.index,
      appliedTerm: TERM,
      logTime: 0,
      durableIndex: this.index,
      lastIndex: this.index,
      configuration: { index: 0, configuration: { voters: ["n1~a"], outgoing: [], learners: [] } },
      peers: [],
      connected: [],
      stalenessMs: 0,
      queuedProposals: 0,
      queuedBytes: 0,
      pendingReads: 0,
      ready: true,
      diskFull: false,
      ...this.picture,
    };
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

export const LOOPBACK: RequestBindings = { remoteAddress: () => "127.0.0.1" };
export const ELSEWHERE: RequestBindings = { remoteAddress: () => "10.1.2.3" };

export type TestApp = {
  readonly replica: OneReplica;
  readonly app: ReturnType<typeof createApp>;
  readonly logged: string[];
  /** A request without a socket, from this machine. */
  request(path: string, init?: RequestInit, bindings?: RequestBindings): Promise<Response>;
};

export function testApp(options: Partial<AppOptions> = {}): TestApp {
  const replica = new OneReplica();
  const logged: string[] = [];
  // Each look at the clock is 6 ms later, so that no status is taken from a cache.
  let looks = 0;
  const app = createApp({
    replica,
    node: { id: "n1", version: "1.2.3", advertise: "http://one:8080", region: null },
    clock: { monotonic: () => performance.now() + (looks += 6), wall: () => 0 },
    tokens: [],
    open: false,
    maxValueBytes: 1024 * 1024,
    leaderRouting: "forward",
    log: (level, message) => logged.push(`${level}: ${message}`),
    metrics: createMetrics(),
    runtime: bunRuntime,
    ...options,
  });
  return {
    replica,
    app,
    logged,
    request: async (path, init = {}, bindings = LOOPBACK) => await app.request(path, init, bindings),
  };
}

/** Status and code of a problem, checked for its form. */
export async function problemOf(response: Response): Promise<string> {
  const body = await response.json();
  if (response.headers.get("content-type") !== "application/problem+json") {
    throw new Error(`${response.status} is not a problem+json: ${JSON.stringify(body)}`);
  }
  for (const field of ["type", "title", "detail", "code"]) {
    if (typeof body[field] !== "string" || body[field] === "") throw new Error(`a problem without ${field}`);
  }
  if (body.status !== response.status) throw new Error(`status ${body.status} in a ${response.status}`);
  if (response.status === 503 && response.headers.get("retry-after") === null) {
    throw new Error("a 503 without Retry-After");
  }
  return `${response.status} ${body.code}`;
}
