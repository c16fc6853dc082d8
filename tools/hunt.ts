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
import { type Done, runTasks, type Task } from "../lib/cli/simulation-workers.ts";
import { changesMembers, counted, describeFailure, Tally } from "../lib/simulation/mod.ts";

const folder = new URL("../dist/hunt/", import.meta.url).pathname;

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
} satisfies Settings;

const values = given();
const minutes = values.minutes ?? 1;
const { jobs, nodes: askedNodes, members } = values;
const durationMs = Math.max(1, Math.round((values.simulated ?? 1) * 60_000));
const firstSeed = values.seed ?? Math.floor(Math.random() * 2 ** 40);
await hunt();

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

/** Adds up what the processes say, and reports. */
async function hunt(): Promise<void> {
  console.log(`hunt: ${minutes} min, ${counted(jobs, "process")}, seeds from ${firstSeed}`);
  const beganAt = performance.now();
  const tally = new Tally();
  const line = () => {
    const { runs, operations, faults, simulatedMs, failures } = tally.report();
    const real = (performance.now() - beganAt) / 60_000;
    const simulated = simulatedMs / 60_000;
    return `${counted(runs, "seed")}, ${operations} operations, ${counted(faults, "fault")}, ` +
      `${simulated.toFixed(0)} simulated minutes in ${real.toFixed(1)} real ones ` +
      `(${(simulated / real).toFixed(0)} per minute), ${counted(failures.length, "failure")}`;
  };
  const timer = setInterval(() => console.log(line()), 30_000);
  const found: Promise<void>[] = [];
  try {
    await runTasks({
      command: [process.execPath, new URL("../main.ts", import.meta.url).pathname, "simulate", "--worker"],
      jobs,
      tasks: tasks(beganAt + minutes * 60_000),
      onDone: (done) => {
        tally.add(done.result, done.shrunk);
        if (done.shrunk !== null) found.push(keep(done, done.shrunk));
        return true;
      },
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    console.error(`hunt: ${error.message}`);
    process.exitCode = 1;
  }
  clearInterval(timer);
  await Promise.all(found);
  console.log(`hunt: ${line()}`);
  if (tally.report().failures.length > 0) process.exitCode = 1;
}

/** Seed after seed until the time is over; sizes of the cluster in turn unless one was asked for. */
function* tasks(endAt: number): Iterable<Task> {
  for (let seed = firstSeed; performance.now() < endAt; seed++) {
    const nodes = askedNodes ?? (seed % 4 === 0 ? 3 : 5);
    if (members && !changesMembers(seed, nodes)) continue;
    yield { run: { seed, nodes, durationMs }, keys: seed % 3 === 0 ? 6 : 24 };
  }
}

async function keep({ task, result }: Done, shrunk: Done["result"]): Promise<void> {
  const failure = describeFailure(result, shrunk, null, task.keys);
  console.log(failure);
  await mkdir(folder, { recursive: true });
  await appendFile(`${folder}failures.txt`, `${failure}\n\n`);
}
