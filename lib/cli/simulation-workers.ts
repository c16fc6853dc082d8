// Many runs of the world on all cores: processes of this same program, each given one run at a time over its standard
// input and answering a line each. What is told, and when it ends, is as if one process had done them in their order.
import { setImmediate } from "node:timers/promises";
import type { Subprocess } from "bun";
import { kvWorkload, type RunOptions, type RunResult, simulate } from "../simulation/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { linesOf } from "./lines.ts";
import { printJson } from "./output.ts";

/** A run of the key-value workload. */
export type Task = { readonly run: RunOptions; readonly keys: number };

/** `shrunk`: the smaller run that shows the same, of one that failed. */
export type Done = { readonly task: Task; readonly result: RunResult; readonly shrunk: RunResult | null };

/** What a worker says of its task, a line each: on the way to a smaller failure, and in the end. */
type Said = { readonly smaller: string } | { readonly done: Omit<Done, "task"> };

export type RunTasksOptions = {
  /** The command line of a worker: one that calls {@link work}. */
  readonly command: readonly string[];
  /** 1 = everything in this process. */
  readonly jobs: number;
  /** The next one is taken when a process has nothing to do. */
  readonly tasks: Iterable<Task>;
  /** In the order of the tasks. False: that was enough. */
  readonly onDone: (done: Done) => boolean;
  readonly onShrink?: (what: string) => void;
};

/** Ends when all tasks are done, or `onDone` has had enough. Throws a Failure when a process ends by itself. */
export async function runTasks({ command, jobs, tasks, onDone, onShrink }: RunTasksOptions): Promise<void> {
  if (jobs === 1) {
    for (const task of tasks) {
      if (!onDone(await runTask(task, onShrink))) return;
      // Nothing in a run waits for the outside: timers and signals have their turn between two of them.
      await setImmediate();
    }
    return;
  }
  const workers = Array.from({ length: jobs }, () => new Worker(command));
  const left = tasks[Symbol.iterator]();
  const ahead = new Map<number, Done>();
  let [taken, told, enough] = [0, 0, false];
  const tell = (number: number, finished: Done) => {
    ahead.set(number, finished);
    for (let next = ahead.get(told); next !== undefined && !enough; next = ahead.get(told)) {
      ahead.delete(told++);
      enough = !onDone(next);
    }
    if (enough) { for (const worker of workers) worker.end(); }
  };
  try {
    await Promise.all(workers.map(async (worker) => {
      for (let next = left.next(); next.done !== true && !enough; next = left.next()) {
        const number = taken++;
        const finished = await worker.run(next.value, onShrink);
        if (finished !== null) tell(number, finished);
        else if (!enough) {
          throw new Failure(`a process of the simulation ended by itself, ${await worker.exit()}`);
        }
      }
    }));
  } finally {
    for (const worker of workers) worker.end();
  }
}

/** A worker: does what comes in on standard input, a task a line, until that ends. */
export async function work(): Promise<void> {
  for await (const line of linesOf(Bun.stdin.stream())) {
    let task: Task;
    try {
      task = JSON.parse(line) as Task;
    } catch {
      throw wrongUsage("--worker takes tasks of another process on its standard input");
    }
    const { task: _, ...done } = await runTask(task, (smaller) => void say({ smaller }));
    await say({ done });
  }
}

function say(said: Said): Promise<void> {
  return printJson(said);
}

async function runTask(task: Task, onShrink?: (what: string) => void): Promise<Done> {
  const { keys, run: { seed, ...run } } = task;
  const results: RunResult[] = [];
  const { failures } = await simulate({
    workload: kvWorkload({ keys }),
    seeds: [seed],
    run,
    onRun: (result) => results.push(result),
    ...onShrink === undefined ? {} : { onShrink },
  });
  const [result] = results;
  if (result === undefined) throw new Error("a run without a result");
  return { task, result, shrunk: failures[0]?.shrunk ?? null };
}

class Worker {
  readonly #child: Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;

  constructor(command: readonly string[]) {
    this.#child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    this.#lines = linesOf(this.#child.stdout)[Symbol.asyncIterator]();
  }

  /** null = the process is gone. */
  async run(task: Task, onShrink: (what: string) => void = () => {}): Promise<Done | null> {
    this.#child.stdin.write(`${JSON.stringify(task)}\n`);
    this.#child.stdin.flush();
    for (;;) {
      const line = await this.#lines.next();
      if (line.done === true) return null;
      const said = JSON.parse(line.value) as Said;
      if ("done" in said) return { task, ...said.done };
      onShrink(said.smaller);
    }
  }

  end(): void {
    this.#child.kill();
  }

  /** How it ended. */
  async exit(): Promise<string> {
    const code = await this.#child.exited;
    return this.#child.signalCode === null ? `with ${code}` : `by ${this.#child.signalCode}`;
  }
}
