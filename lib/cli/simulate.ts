// `coracle simulate`: runs the deterministic world from seeds. Progress on stderr, the result on stdout's last line; a
// failure is made small, explained, and comes with the one command that shows it again.
import { availableParallelism } from "node:os";
import { Command } from "commander";
import * as v from "valibot";
import {
  builtInScenarios,
  commandOf,
  counted,
  describeFailure,
  describeRun,
  findScenario,
  kvWorkload,
  parseScenario,
  planOf,
  type RunOptions,
  runOptionsOf,
  type RunResult,
  runWorld,
  type SimulationReport,
  Tally,
  unknownFault,
} from "../simulation/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { printJson, printLine } from "./output.ts";
import { selfCommand } from "./self-command.ts";
import { runTasks, type Task, work } from "./simulation-workers.ts";
import {
  declare,
  positiveNumberOrNone,
  type Settings,
  text,
  toggle,
  type Values,
  valuesOf,
  wholeNumber,
  wholeNumberOrNone,
} from "./settings.ts";

const settings = {
  seed: {
    flags: "--seed <number>",
    variables: [],
    help: "the first seed (default: drawn, and printed)",
    schema: wholeNumberOrNone(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
  },
  runs: {
    flags: "--runs <number>",
    variables: [],
    help: "so many runs, from consecutive seeds (default: 1)",
    schema: wholeNumber(1, 1, 1e9),
  },
  nodes: {
    flags: "--nodes <number>",
    variables: [],
    help: "replicas, 1 to 9 (default 5, a scenario's own: 3)",
    schema: wholeNumberOrNone(1, 9),
  },
  minutes: {
    flags: "--minutes <number>",
    variables: [],
    help: "virtual minutes under faults (default 1, or the scenario's)",
    schema: positiveNumberOrNone(100_000),
  },
  scenario: {
    flags: "--scenario <name or file>",
    variables: [],
    help: `a JSON file, or one of ${builtInScenarios.map(({ name }) => name).join(", ")}`,
    schema: text(),
  },
  faults: {
    flags: "--faults <numbers>",
    variables: [],
    help: "carry out only these faults of the schedule, as 0,3,4 or none",
    schema: faultNumbers(),
  },
  operations: {
    flags: "--operations <number>",
    variables: [],
    help: "clients stop after so many operations",
    schema: wholeNumberOrNone(0, 1e9),
  },
  keys: {
    flags: "--keys <number>",
    variables: [],
    help: "keys that the clients write (default: 24)",
    schema: wholeNumber(24, 1, 100_000),
  },
  jobs: {
    flags: "--jobs <number>",
    variables: [],
    help: "processes that share the runs (default: one a core)",
    schema: wholeNumberOrNone(1, 256),
  },
  trace: { flags: "--trace", variables: [], help: "print everything that happens", schema: toggle() },
  json: { flags: "--json", variables: [], help: "the result as JSON", schema: toggle() },
  worker: {
    flags: "--worker",
    variables: [],
    help: "runs what another process asks for on standard input",
    hidden: true,
    schema: toggle(),
  },
} satisfies Settings;

type Options = Values<typeof settings>;

/** How the result is told, and what the command that shows it again needs beside the run's options. */
type Telling = { readonly scenario: string | null; readonly keys: number; readonly json: boolean };

/** Ends with 0 if nothing broke, 1 if something did, 2 for flags that cannot be meant. */
export function simulateCommand(): Command {
  const command = new Command("simulate")
    .description("run whole clusters under faults in virtual time, from a seed, and check everything they do")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "coracle: ")) });
  return declare(command, settings).action(() => simulateAction(valuesOf(settings, command, {})));
}

async function simulateAction(options: Options): Promise<void> {
  if (options.worker) return await work();
  const { runs, keys, trace, scenario, json } = options;
  const seed = options.seed ?? Math.floor(Math.random() * 1e9);
  const workload = kvWorkload({ keys });
  const { seed: _seed, ...run } = await runOptions(options, seed);
  if (run.keepFaults !== undefined) {
    if (runs > 1) throw wrongUsage("--faults names faults of one run: leave --runs out");
    const plan = planOf({ ...run, seed });
    const unknown = unknownFault(plan, run.keepFaults);
    if (unknown !== undefined) {
      throw wrongUsage(`--faults: there is no fault ${unknown}, this run has ${plan.schedule.length} from 0`);
    }
  }
  const as = { scenario, keys, json };
  if (trace) {
    if (runs > 1) throw wrongUsage("--trace shows one run: leave --runs out");
    return await traced(await runWorld(workload, { ...run, seed, trace: writeOut }), as);
  }
  const beganAt = performance.now();
  const tally = new Tally();
  let done = 0;
  let toldAt = beganAt;
  const note = (text: string) => process.stderr.isTTY ? process.stderr.write(`\r\x1b[K${text}`) : undefined;
  await runTasks({
    command: [...selfCommand(), "simulate", "--worker"],
    jobs: Math.min(options.jobs ?? availableParallelism(), Math.ceil(runs / 2)),
    tasks: consecutive(seed, runs, run, keys),
    onDone: ({ result, shrunk }) => {
      tally.add(result, shrunk);
      done++;
      if (runs <= 20) process.stderr.write(`${describeRun(result)}\n`);
      else if (process.stderr.isTTY) note(`${done} of ${runs} runs`);
      else if (performance.now() - toldAt > 10_000) {
        toldAt = performance.now();
        process.stderr.write(`${done} of ${runs} runs\n`);
      }
      return shrunk === null;
    },
    onShrink: (what) => note(`smaller: ${what}`),
  });
  note("");
  await tell(tally.report(), (performance.now() - beganAt) / 1000, as);
}

function* consecutive(
  first: number,
  count: number,
  run: Omit<RunOptions, "seed">,
  keys: number,
): Iterable<Task> {
  for (let at = 0; at < count; at++) yield { run: { ...run, seed: first + at }, keys };
}

async function traced(result: RunResult, as: Telling): Promise<void> {
  const tally = new Tally();
  tally.add(result, result.violation === null ? null : result);
  await tell(tally.report(), null, as);
}

/** `seconds` null: the run was traced, and how long that took says nothing. */
async function tell(
  report: SimulationReport,
  seconds: number | null,
  { scenario, keys, json }: Telling,
): Promise<void> {
  const { runs, operations, faults, committed, messages, simulatedMs, failures } = report;
  const minutes = simulatedMs / 60_000;
  const failure = failures[0];
  if (failure !== undefined) {
    process.stderr.write(`${describeFailure(failure.failed, failure.shrunk, scenario, keys)}\n`);
  }
  if (json) {
    await printJson({
      ok: failure === undefined,
      runs,
      operations,
      faults,
      committed,
      messages,
      simulatedMinutes: minutes,
      seconds,
      failures: failures.map(({ failed, shrunk }) => ({
        seed: failed.options.seed,
        invariant: failed.violation?.invariant,
        detail: failed.violation?.detail,
        command: commandOf(failed.options, scenario, keys),
        shrunk: commandOf(shrunk.options, scenario, keys),
        explanation: shrunk.explanation,
      })),
    });
  } else {
    const speed = seconds === null ? "" : `, ${(minutes / (seconds / 60)).toFixed(0)} per real minute`;
    await printLine(
      `${failure === undefined ? "ok" : "FAILED"}: ${counted(runs, "run")}, ${
        counted(operations, "operation")
      }, ${counted(faults, "fault")}, ` +
        `${counted(committed, "entry")} committed, ` +
        `${minutes.toFixed(1)} simulated minutes${speed}`,
    );
  }
  if (failure !== undefined) {
    throw new Failure(
      `seed ${failure.failed.options.seed} breaks "${failure.failed.violation?.invariant}": ` +
        `${commandOf(failure.shrunk.options, scenario, keys)} --trace`,
    );
  }
}

async function runOptions(
  { scenario, minutes, nodes, operations, faults }: Options,
  seed: number,
): Promise<RunOptions> {
  const base: RunOptions = scenario === null ? { seed } : runOptionsOf(await scenarioNamed(scenario), seed);
  return {
    ...base,
    ...(nodes === null ? {} : { nodes }),
    ...(minutes === null ? {} : { durationMs: Math.max(1, Math.round(minutes * 60_000)) }),
    ...(operations === null ? {} : { maxOperations: operations }),
    ...(faults === null ? {} : { keepFaults: faults }),
  };
}

async function scenarioNamed(name: string) {
  const builtIn = findScenario(name);
  if (builtIn !== undefined) return builtIn;
  const file = Bun.file(name);
  if (!await file.exists()) {
    throw wrongUsage(
      `--scenario: no file ${name}, and none of ${builtInScenarios.map((each) => each.name).join(", ")}`,
    );
  }
  const parsed = parseScenario(await file.text());
  if (!parsed.ok) throw wrongUsage(`${name}: ${parsed.problem}`);
  return parsed.scenario;
}

/** `0,3,4`, or `none`; null where none was given. */
function faultNumbers() {
  return v.pipe(
    v.optional(v.string()),
    v.check(
      (value) => value === undefined || /^(none|\d{1,9}(,\d{1,9})*)$/.test(value),
      "numbers such as 0,3,4, or none, are expected",
    ),
    v.transform((value) => {
      if (value === undefined) return null;
      return value === "none" ? [] : value.split(",").map(Number);
    }),
  );
}

function writeOut(line: string): void {
  process.stdout.write(`${line}\n`);
}
