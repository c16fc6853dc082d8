// `coracle simulate`: runs the deterministic world from seeds. Progress on stderr, the result on stdout's last line; a
// failure is made small, explained, and comes with the one command that shows it again.
import { Command } from "commander";
import {
  builtInScenarios,
  commandOf,
  describeFailure,
  describeRun,
  findScenario,
  kvWorkload,
  parseScenario,
  type RunOptions,
  runOptionsOf,
  type RunResult,
  runWorld,
  simulate,
  type SimulationReport,
} from "../simulation/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { printJson, printLine } from "./output.ts";

type Options = {
  seed?: string;
  runs: string;
  nodes?: string;
  minutes?: string;
  scenario?: string;
  faults?: string;
  operations?: string;
  keys: string;
  trace?: boolean;
  json?: boolean;
};

/** Ends with 0 if nothing broke, 1 if something did, 2 for flags that cannot be meant. */
export function simulateCommand(): Command {
  return new Command("simulate")
    .description("run whole clusters under faults in virtual time, from a seed, and check everything they do")
    .option("--seed <number>", "the first seed (default: drawn, and printed)")
    .option("--runs <number>", "so many runs, from consecutive seeds", "1")
    .option("--nodes <number>", "replicas, 1 to 9 (default 5, a scenario's own: 3)")
    .option("--minutes <number>", "virtual minutes under faults (default 1, or the scenario's)")
    .option(
      "--scenario <name or file>",
      `a JSON file, or one of ${builtInScenarios.map(({ name }) => name).join(", ")}`,
    )
    .option("--faults <numbers>", "carry out only these faults of the schedule, as 0,3,4 or none")
    .option("--operations <number>", "clients stop after so many operations")
    .option("--keys <number>", "keys that the clients write", "24")
    .option("--trace", "print everything that happens")
    .option("--json", "the result as JSON")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "coracle: ")) })
    .action(simulateAction);
}

async function simulateAction(options: Options): Promise<void> {
  const seed = options.seed === undefined
    ? Math.floor(Math.random() * 1e9)
    : whole("--seed", options.seed, -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  const runs = whole("--runs", options.runs, 1, 1e9);
  const workload = kvWorkload({ keys: whole("--keys", options.keys, 1, 100_000) });
  const { seed: _seed, ...run } = await runOptions(options, seed);
  const scenario = options.scenario ?? null;
  if (options.trace === true) {
    if (runs > 1) throw wrongUsage("--trace shows one run: leave --runs out");
    return await traced(
      () => runWorld(workload, { ...run, seed, trace: writeOut }),
      scenario,
      options.json === true,
    );
  }
  const beganAt = performance.now();
  let done = 0;
  const note = (text: string) => process.stderr.isTTY ? process.stderr.write(`\r\x1b[K${text}`) : undefined;
  const report = await simulate({
    workload,
    seeds: Array.from({ length: runs }, (_, at) => seed + at),
    run,
    onRun: (result) => {
      done++;
      if (runs <= 20) process.stderr.write(`${describeRun(result)}\n`);
      else note(`${done} of ${runs} runs`);
    },
    onShrink: (what) => note(`smaller: ${what}`),
  });
  note("");
  await tell(report, (performance.now() - beganAt) / 1000, scenario, options.json === true);
}

async function traced(run: () => Promise<RunResult>, scenario: string | null, json: boolean): Promise<void> {
  const result = await run();
  const failures = result.violation === null ? [] : [{ failed: result, shrunk: result }];
  if (failures.length > 0) process.stderr.write(`${describeFailure(result, result, scenario)}\n`);
  const { operations, faults, committed, messages, simulatedMs } = result;
  await tell(
    { runs: 1, operations, faults, committed, messages, simulatedMs, failures },
    null,
    scenario,
    json,
  );
}

async function tell(
  report: SimulationReport,
  seconds: number | null,
  scenario: string | null,
  json: boolean,
): Promise<void> {
  const { runs, operations, faults, committed, messages, simulatedMs, failures } = report;
  const minutes = simulatedMs / 60_000;
  const failure = failures[0];
  if (failure !== undefined && seconds !== null) {
    process.stderr.write(`${describeFailure(failure.failed, failure.shrunk, scenario)}\n`);
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
        command: commandOf(failed.options, scenario),
        shrunk: commandOf(shrunk.options, scenario),
        explanation: shrunk.explanation,
      })),
    });
  } else {
    const speed = seconds === null ? "" : `, ${(minutes / (seconds / 60)).toFixed(0)} per real minute`;
    await printLine(
      `${
        failure === undefined ? "ok" : "FAILED"
      }: ${runs} runs, ${operations} operations, ${faults} faults, ` +
        `${committed} entries committed, ${minutes.toFixed(1)} simulated minutes${speed}`,
    );
  }
  if (failure !== undefined) {
    throw new Failure(
      `seed ${failure.failed.options.seed} breaks "${failure.failed.violation?.invariant}": ` +
        `${commandOf(failure.shrunk.options, scenario)} --trace`,
    );
  }
}

async function runOptions(options: Options, seed: number): Promise<RunOptions> {
  const base: RunOptions = options.scenario === undefined
    ? { seed }
    : runOptionsOf(await scenarioNamed(options.scenario), seed);
  const minutes = options.minutes === undefined ? undefined : Number(options.minutes);
  if (minutes !== undefined && !(minutes > 0 && minutes <= 100_000)) {
    throw wrongUsage("--minutes must be above 0");
  }
  return {
    ...base,
    ...(options.nodes === undefined ? {} : { nodes: whole("--nodes", options.nodes, 1, 9) }),
    ...(minutes === undefined ? {} : { durationMs: minutes * 60_000 }),
    ...(options.operations === undefined
      ? {}
      : { maxOperations: whole("--operations", options.operations, 0, 1e9) }),
    ...(options.faults === undefined ? {} : { keepFaults: faultNumbers(options.faults) }),
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

function faultNumbers(text: string): number[] {
  return text === "none" ? [] : text.split(",").map((part) => whole("--faults", part, 0, 1e9));
}

function whole(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value) || value < least || value > most) {
    throw wrongUsage(`${flag} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

function writeOut(line: string): void {
  process.stdout.write(`${line}\n`);
}
