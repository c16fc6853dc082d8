// The network of Maelstrom for tests: real nodes as processes, lines on stdin and stdout, messages between nodes lost,
// delayed, overtaken and cut off as told. Whatever a node says on stdout that is no message is kept as a complaint.
import type { Subprocess } from "bun";
import { cleanEnvironment, coracleCommand } from "../support/coracle.ts";

export type Body = { readonly [field: string]: unknown };

export type RouterOptions = {
  readonly nodes: readonly string[];
  readonly random: () => number;
  /** Share of messages between nodes that are lost. Default 0. */
  readonly loss?: number;
  /** A message between nodes takes up to so long, each on its own: they overtake each other. Default 0. */
  readonly delayMs?: number;
};

type Node = { readonly id: string; readonly process: Subprocess<"pipe", "pipe", "pipe">; said: string };

/** How long clients wait. */
const clientMs = 1000;

const running = new Set<Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export class Router {
  /** Lines on stdout that are no messages, and messages with a wrong envelope. */
  readonly stray: string[] = [];
  /** Messages between nodes so far. */
  messages = 0;
  readonly #options: Required<RouterOptions>;
  readonly #nodes = new Map<string, Node>();
  readonly #waiting = new Map<string, (body: Body) => void>();
  readonly #reading: Promise<unknown>[] = [];
  /** Which side of the partition a node is on. */
  #sides: ReadonlyMap<string, number> = new Map();
  #lastId = 0;

  constructor(options: RouterOptions) {
    this.#options = { loss: 0, delayMs: 0, ...options };
  }

  get living(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  async start(): Promise<void> {
    const { nodes } = this.#options;
    for (const id of nodes) {
      const child = Bun.spawn([...coracleCommand(), "maelstrom", "--log-level", "info"], {
        env: cleanEnvironment(),
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      });
      running.add(child);
      child.exited.then(() => running.delete(child));
      const node: Node = { id, process: child, said: "" };
      this.#nodes.set(id, node);
      this.#reading.push(this.#readLines(node), this.#readLog(node));
    }
    const answers = await Promise.all(nodes.map((id) =>
      // The first answer is that of a process that is just starting.
      this.request("c0", id, { type: "init", node_id: id, node_ids: nodes }, 20_000)
    ));
    if (answers.some((answer) => answer?.["type"] !== "init_ok")) {
      throw new Error("a node does not answer init");
    }
  }

  /** A client's request; null = no answer in time. */
  request(client: string, dest: string, body: Body, timeoutMs: number = clientMs): Promise<Body | null> {
    const msg_id = ++this.#lastId;
    return new Promise((resolve) => {
      const timer = setTimeout(() => end(null), timeoutMs);
      const end = (answer: Body | null) => {
        clearTimeout(timer);
        this.#waiting.delete(`${client} ${msg_id}`);
        resolve(answer);
      };
      this.#waiting.set(`${client} ${msg_id}`, end);
      this.#deliver(dest, { src: client, dest, body: { ...body, msg_id } });
    });
  }

  /** Nothing passes between the groups; those in none are alone together. */
  partition(groups: readonly (readonly string[])[]): void {
    this.#sides = new Map(groups.flatMap((group, side) => group.map((id) => [id, side] as const)));
  }

  heal(): void {
    this.#sides = new Map();
  }

  /** kill -9, never to come back. */
  kill(id: string): void {
    this.#nodes.get(id)?.process.kill("SIGKILL");
    this.#nodes.delete(id);
  }

  /** Ends everything by the end of stdin; returns the exit codes of those that were alive. */
  async stop(): Promise<readonly number[]> {
    const nodes = [...this.#nodes.values()];
    this.#nodes.clear();
    await Promise.all(nodes.map(({ process }) => process.stdin.end()));
    const codes = await Promise.all(nodes.map(({ process }) => process.exited));
    await Promise.all(this.#reading);
    return codes;
  }

  close(): void {
    for (const { process } of this.#nodes.values()) process.kill("SIGKILL");
    this.#nodes.clear();
  }

  /** What a node said on stderr. */
  logOf(id: string): string {
    return this.#nodes.get(id)?.said ?? "";
  }

  async #readLines(node: Node): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of node.process.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#route(node.id, line);
    }
    // Half a line is what a killed node leaves; only one that ended by itself must not.
    if (rest !== "" && node.process.signalCode === null) this.stray.push(`${node.id}: ${rest}`);
  }

  async #readLog(node: Node): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of node.process.stderr) node.said += decoder.decode(chunk, { stream: true });
  }

  #route(from: string, line: string): void {
    const message = parse(line);
    if (message === null || message.src !== from) {
      this.stray.push(`${from}: ${line}`);
      return;
    }
    const { dest, body } = message;
    if (this.#options.nodes.includes(dest)) return this.#between(from, message);
    const waiter = this.#waiting.get(`${dest} ${body["in_reply_to"]}`);
    if (waiter !== undefined) waiter(body);
    // An answer that comes too late is one; anything else is not.
    else if (typeof body["in_reply_to"] !== "number") this.stray.push(`${from}: ${line}`);
  }

  #between(from: string, message: { readonly dest: string }): void {
    const { random, loss, delayMs } = this.#options;
    this.messages++;
    if (random() < loss) return;
    const arrive = () => {
      if (this.#sides.get(from) === this.#sides.get(message.dest)) this.#deliver(message.dest, message);
    };
    if (delayMs === 0) arrive();
    else setTimeout(arrive, random() * delayMs);
  }

  #deliver(dest: string, message: unknown): void {
    const node = this.#nodes.get(dest);
    if (node === undefined) return;
    node.process.stdin.write(`${JSON.stringify(message)}\n`);
    node.process.stdin.flush();
  }
}

function parse(line: string): { readonly src: string; readonly dest: string; readonly body: Body } | null {
  try {
    const { src, dest, body } = JSON.parse(line);
    const fits = typeof src === "string" && typeof dest === "string" && typeof body?.type === "string";
    return fits ? { src, dest, body } : null;
  } catch {
    return null;
  }
}
