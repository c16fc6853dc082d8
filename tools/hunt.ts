// `npm run hunt -- --minutes 60 [--jobs 2] [--nodes 5] [--simulated 1] [--members]`: runs the world from fresh seeds in parallel
// processes until the time is over. Failing seeds go to dist/hunt/ with the command that shows each again; exit 1 on any.
import { appendFile, mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Command } from "commander";
import { Failure } from "../lib/cli/failure.ts";
import {
  declare,
  positiveNumberOrNone,
  type Settings,
  toggle,
  type Values,
  valuesOf,
  wholeNumber,
  wholeNumberOrNone,
} from "../lib/cli/settings.ts";
import { changesMembers, counted, describeFailure, kvWorkload, simulate } from "../lib/simulation/mod.ts";

const folder = new URL("../dist/hunt/", import.meta.url).pathname;

type Sum = { runs: number; operations: number; faults: number; simulatedMs: number; failures: string[] };

const settings = {
  minutes: {
    flags: "--minutes <number>",
    variables: [],
    help: "real minutes (default: 1)",
    schema: positiveNumberOrNone(100_000),
  },
  jobs: {
    flags: "--jobs <number>",
    variables: [],
    help: "processes (default: 2, or 1 on one core)",
    schema: wholeNumber(Math.min(2, availableParallelism()), 1, 256),
  },
  simulated: {
    flags: "--simulated <number>",
    variables: [],
    help: "virtual minutes of one run (default: 1)",
    schema: positiveNumberOrNone(100_000),
  },
  nodes: {
    flags: "--nodes <number>",
    variables: [],
    help: "replicas (default: 3 or 5 in turn)",
    schema: wholeNumberOrNone(1, 9),
  },
  seed: {
    flags: "--seed <number>",
    variables: [],
    help: "the first one (default: drawn, and printed)",
    schema: wholeNumberOrNone(0, Number.MAX_SAFE_INTEGER),
  },
  members: {
    flags: "--members",
    variables: [],
    help: "only seeds under which the members change",
    schema: toggle(),
  },
  worker: {
    flags: "--worker <number>",
    variables: [],
    help: "of the processes of one hunt: which",
    schema: wholeNumberOrNone(0, 255),
  },
} satisfies Settings;

const values = given();
const minutes = values.minutes ?? 1;
const simulatedMinutes = values.simulated ?? 1;
const { jobs, nodes: askedNodes, members, worker } = values;
const firstSeed = values.seed ?? Math.floor(Math.random() * 2 ** 40);

if (worker === null) await lead();
else await work(worker);

function given(): Values<typeof settings> {
  const command = declare(new Command("hunt").description("runs the world from fresh seeds"), settings);
  try {
    return valuesOf(settings, command.parse(), {});
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`hunt: ${error.message}`);
    process.exit(error.exitCode);
  }
}

/** Starts the workers, adds up what they say a line at a time, and reports. */
async function lead(): Promise<void> {
  console.log(`hunt: ${minutes} min, ${counted(jobs, "process")}, seeds from ${firstSeed}`);
  const beganAt = performance.now();
  const sum: Sum = { runs: 0, operations: 0, faults: 0, simulatedMs: 0, failures: [] };
  const line = () => {
    const real = (performance.now() - beganAt) / 60_000;
    const simulated = sum.simulatedMs / 60_000;
    return `${counted(sum.runs, "seed")}, ${sum.operations} operations, ${counted(sum.faults, "fault")}, ` +
      `${simulated.toFixed(0)} simulated minutes in ${real.toFixed(1)} real ones ` +
      `(${(simulated / real).toFixed(0)} per minute), ${counted(sum.failures.length, "failure")}`;
  };
  const timer = setInterval(() => console.log(line()), 30_000);
  const exits = await Promise.all(Array.from({ length: jobs }, (_, at) => follow(at, sum)));
  clearInterval(timer);
  console.log(`hunt: ${line()}`);
  const died = exits.some((code) => code !== 0);
  if (died) console.error(`hunt: a worker ended with ${exits.join(", ")}`);
  process.exitCode = died || sum.failures.length > 0 ? 1 : 0;
}

async function follow(at: number, sum: Sum): Promise<number> {
  const args = [
    "--minutes",
    String(minutes),
    "--jobs",
    String(jobs),
    "--simulated",
    String(simulatedMinutes),
  ];
  if (askedNodes !== null) args.push("--nodes", String(askedNodes));
  if (members) args.push("--members");
  const child = Bun.spawn(
    [process.execPath, import.meta.path, ...args, "--seed", String(firstSeed), "--worker", String(at)],
    { stdout: "pipe", stderr: "inherit" },
  );
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of child.stdout) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const text of lines) await add(sum, text);
  }
  return await child.exited;
}

async function add(sum: Sum, text: string): Promise<void> {
  const { runs, operations, faults, simulatedMs, failure } = JSON.parse(text) as Omit<Sum, "failures"> & {
    failure: string | null;
  };
  sum.runs += runs;
  sum.operations += operations;
  sum.faults += faults;
  sum.simulatedMs += simulatedMs;
  if (failure === null) return;
  sum.failures.push(failure);
  console.log(failure);
  await mkdir(folder, { recursive: true });
  await appendFile(`${folder}failures.txt`, `${failure}\n\n`);
}

/** One process: every jobs-th seed; sizes of the cluster in turn unless one was asked for. */
async function work(at: number): Promise<void> {
  const endAt = performance.now() + minutes * 60_000;
  for (let seed = firstSeed + at; performance.now() < endAt; seed += jobs) {
    const nodes = askedNodes ?? (seed % 4 === 0 ? 3 : 5);
    // --members: only seeds under which the members change.
    if (members && !changesMembers(seed, nodes)) continue;
    const keys = seed % 3 === 0 ? 6 : 24;
    const report = await simulate({
      workload: kvWorkload({ keys }),
      seeds: [seed],
      run: { nodes, durationMs: Math.max(1, Math.round(simulatedMinutes * 60_000)) },
    });
    const { runs, operations, faults, simulatedMs, failures } = report;
    const found = failures[0];
    const failure = found === undefined ? null : describeFailure(found.failed, found.shrunk, null, keys);
    process.stdout.write(`${JSON.stringify({ runs, operations, faults, simulatedMs, failure })}\n`);
  }
}
