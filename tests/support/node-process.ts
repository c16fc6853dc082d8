// One real replica as a process: start, kill, start again; its log is kept and shown when something goes wrong.
import type { Subprocess } from "bun";
import { cleanEnvironment, coracleCommand } from "./coracle.ts";
import { eventually } from "./eventually.ts";

export type NodeOptions = {
  readonly id: string;
  /** False: it is not told its id, and finds it by itself. Default true. */
  readonly named?: boolean;
  /** 0 lets the node pick one; its URL is known once it serves. */
  readonly port: number;
  /** Its data folder. */
  readonly data: string;
  /** Further flags of `coracle serve`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Put before the command: runs it somewhere else (tests/support/hosts.ts). It must become the node, not start it. */
  readonly prefix?: readonly string[];
  /** How requests reach it from here; default fetch. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
};

/** A line of the node's JSON log; what is no JSON stands in `message` with level "raw". */
export type LogLine = Readonly<Record<string, unknown>> & {
  readonly level: string;
  readonly message: string;
};

const keptLines = 5_000;
const living = new Set<Subprocess>();

// Also when a test hung and its runner gave up on it.
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** The node ended before it served. */
export class StartFailed extends Error {
  override name = "StartFailed";
}

export class NodeProcess {
  readonly id: string;
  readonly data: string;
  readonly logLines: LogLine[] = [];
  readonly #options: NodeOptions;
  #child: Subprocess<"pipe", "pipe", "pipe"> | null = null;
  #reading: Promise<unknown> = Promise.resolve();
  #url: string;

  constructor(options: NodeOptions) {
    this.#options = options;
    this.id = options.id;
    this.data = options.data;
    this.#url = `http://${options.host ?? "127.0.0.1"}:${options.port}`;
  }

  get url(): string {
    return this.#url;
  }

  /** From here it is reached at another URL than the one that it tells others. */
  reachedAt(url: string): void {
    this.#url = url;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it (again) and waits until it serves; not until it is ready. `flags` come on top of those it was made with. */
  async start(flags: readonly string[] = []): Promise<void> {
    if (this.running) throw new Error(`${this.id} is running`);
    const { id, named = true, port, data, env = {}, host, prefix = [] } = this.#options;
    const all = [
      ...(named ? ["--id", id] : []),
      ...["--port", String(port), "--data", data, "--log-format", "json"],
      ...(host === undefined ? [] : ["--host", host]),
      ...[...(this.#options.flags ?? []), ...flags],
    ];
    const since = this.logLines.length;
    const child = Bun.spawn([...prefix, ...coracleCommand(), "serve", ...all], {
      // The end of this test's process is the end of its stdin, and of the node.
      env: cleanEnvironment({ CORACLE_STOP_WITH_STDIN: "1", ...env }),
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#child = child;
    living.add(child);
    child.exited.then(() => living.delete(child));
    this.#reading = Promise.all([this.#read(child.stdout), this.#read(child.stderr)]);
    const serving = await eventually(() => {
      const line = this.logLines.slice(since).find(({ message }) => message === "serving");
      return line ?? (this.running ? null : { level: "raw", message: "ended" });
    }, { deadlineMs: 15_000, what: `${id} serves`, everyMs: 5 }).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.logTail()}`);
    });
    if (serving.message !== "serving") {
      await this.#reading;
      throw new StartFailed(`${id} ended with exit code ${child.exitCode}\n${this.logTail()}`);
    }
    const url = Reflect.get(serving, "url");
    if (typeof url === "string") this.#url = url;
  }

  /** kill -9, as a crash; returns when it is gone. */
  async kill(): Promise<void> {
    await this.signal("SIGKILL");
  }

  /** SIGTERM; returns the exit code. */
  async stop(): Promise<number> {
    return await this.signal("SIGTERM");
  }

  /** Sends a signal that ends it; returns the exit code, 128 + n when a signal ended it. */
  async signal(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child;
    if (child === null) return 0;
    child.kill(signal);
    const code = await child.exited;
    await this.#reading;
    return code;
  }

  /** Waits until it has ended by itself; returns the exit code. */
  async ended(deadlineMs = 15_000): Promise<number> {
    await eventually(() => !this.running, { deadlineMs, what: `${this.id} ends by itself` });
    await this.#reading;
    return this.#child?.exitCode ?? -1;
  }

  /** SIGSTOP: alive, but silent, as a suspended machine. */
  pause(): void {
    this.#child?.kill("SIGSTOP");
  }

  resume(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Waits until it would serve a linearizable read. */
  async ready(deadlineMs = 15_000): Promise<void> {
    await eventually(async () => (await this.fetch("/readyz")).ok, {
      deadlineMs,
      what: `${this.id} is ready`,
    });
  }

  /** A request to this node, with a deadline of its own; on a fresh connection, so that nothing is sent twice. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    const send = this.#options.fetch ?? fetch;
    return send(this.#url + path, { signal: AbortSignal.timeout(15_000), keepalive: false, ...init });
  }

  /** The last lines of its log, for the message of a failed test. */
  logTail(lines = 40): string {
    const tail = this.logLines.slice(-lines).map((line) => JSON.stringify(line)).join("\n");
    return `---- log of ${this.id} (the last ${lines} lines) ----\n${tail || "(nothing)"}`;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#keep(line);
    }
    if (rest !== "") this.#keep(rest);
  }

  #keep(text: string): void {
    if (this.logLines.length >= keptLines) this.logLines.splice(0, keptLines / 2);
    this.logLines.push(parseLine(text));
  }
}

function parseLine(text: string): LogLine {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && "message" in value && "level" in value) {
      return { ...value, level: String(value.level), message: String(value.message) };
    }
  } catch {
    // A crash speaks no JSON.
  }
  return { level: "raw", message: text };
}
