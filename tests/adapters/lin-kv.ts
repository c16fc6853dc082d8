// Maelstrom's workload lin-kv: for each key 2n clients of their own nodes, half of them reading, the others writing and
// swapping small integers; every answer goes into a history that the checker can judge.
import type {
  History,
  KvInput,
  KvOutput,
  Operation,
  Outcome,
} from "../../lib/simulation/linearizability/mod.ts";
import type { Body, Router } from "./maelstrom-router.ts";

/** Errors after which the operation definitely has not happened and never will. */
const definite = new Set([1, 10, 11, 12, 14, 20, 21, 22, 30]);

export type WorkloadOptions = {
  readonly router: Router;
  readonly random: () => number;
  readonly nodes: readonly string[];
  readonly keys: readonly unknown[];
  /** Whether clients go on; asked before each request. */
  readonly goOn: () => boolean;
  /** Between two requests of a client, ms. */
  readonly pauseMs: number;
};

/** Resolves with the history once every client has ended. */
export async function runLinKv(options: WorkloadOptions): Promise<History<KvInput, KvOutput>> {
  const { keys, nodes } = options;
  const history: Operation<KvInput, KvOutput>[] = [];
  const clock = { now: 0 };
  const clients = keys.flatMap((key, keyAt) =>
    Array.from({ length: 2 * nodes.length }, (_, at) =>
      runClient(options, {
        name: `c${1 + keyAt * 2 * nodes.length + at}`,
        node: nodes[at % nodes.length] ?? "",
        key,
        reads: at < nodes.length,
        history,
        clock,
      }))
  );
  await Promise.all(clients);
  return history;
}

type Client = {
  readonly name: string;
  readonly node: string;
  readonly key: unknown;
  readonly reads: boolean;
  readonly history: Operation<KvInput, KvOutput>[];
  readonly clock: { now: number };
};

async function runClient({ router, random, goOn, pauseMs }: WorkloadOptions, client: Client): Promise<void> {
  const { name, node, key, reads, history, clock } = client;
  const small = () => String(Math.floor(random() * 5));
  let unanswered = 0;
  // Whose node is dead has nothing more to learn.
  while (goOn() && unanswered < 5) {
    const input: KvInput = reads
      ? { type: "get" }
      : random() < 0.5
      ? { type: "put", value: small() }
      : { type: "cas", from: small(), to: small() };
    const call = ++clock.now;
    const answer = await router.request(name, node, { ...bodyOf(input), key });
    unanswered = answer === null ? unanswered + 1 : 0;
    const outcome = outcomeOf(input, answer, ++clock.now);
    history.push({ id: `${name}-${call}`, client: name, key: JSON.stringify(key), input, call, outcome });
    await Bun.sleep(pauseMs * (0.5 + random()));
  }
}

function bodyOf(input: KvInput): Body {
  if (input.type === "put") return { type: "write", value: Number(input.value) };
  if (input.type === "cas") return { type: "cas", from: Number(input.from), to: Number(input.to) };
  return { type: "read" };
}

function outcomeOf(input: KvInput, answer: Body | null, at: number): Outcome<KvOutput> {
  if (answer === null) return { type: "unknown" };
  const { type, code, value } = answer;
  const ok = (output: KvOutput): Outcome<KvOutput> => ({ type: "ok", output, return: at });
  if (type === "read_ok") return ok({ type: "value", value: JSON.stringify(value) });
  if (type === "write_ok" || type === "cas_ok") return ok({ type: "written" });
  if (code === 20 && input.type === "get") return ok({ type: "value", value: null });
  if ((code === 20 || code === 22) && input.type === "cas") return ok({ type: "mismatch" });
  return definite.has(Number(code)) ? { type: "failed", return: at } : { type: "unknown" };
}
