// What a person is told of a run: one line when all is well; of a failure the seed, the command that shows it again, the
// faults that it takes and what broke.
import { describeFault } from "./faults.ts";
import type { RunOptions, RunResult } from "./run.ts";

/** The command line that repeats a run, byte for byte. `scenario` as it was given there, where it was one. */
export function commandOf(options: RunOptions, scenario: string | null): string {
  const { seed, nodes = 5, durationMs = 60_000, keepFaults, maxOperations } = options;
  const parts = ["coracle simulate", `--seed ${seed}`];
  if (scenario !== null) parts.push(`--scenario ${scenario}`);
  else parts.push(`--nodes ${nodes}`, `--minutes ${durationMs / 60_000}`);
  if (keepFaults !== undefined) {
    parts.push(`--faults ${keepFaults.length === 0 ? "none" : keepFaults.join(",")}`);
  }
  if (maxOperations !== undefined) parts.push(`--operations ${maxOperations}`);
  return parts.join(" ");
}

export function describeRun(result: RunResult): string {
  const { options, operations, faults, committed, leaders, done, refused, unknown, reads } = result;
  return `seed ${options.seed}: ${operations} operations (${done} writes done, ${reads} reads, ${refused} refused, ` +
    `${unknown} unknown), ${faults} faults, ${committed} entries, ${leaders} leaders, ` +
    (result.recoveryMs === null ? "not recovered" : `recovered in ${Math.round(result.recoveryMs)} ms`);
}

/** Several lines. `shrunk` is the smaller run that shows the same, where there is one. */
export function describeFailure(failed: RunResult, shrunk: RunResult, scenario: string | null): string {
  const lines = [
    `seed ${failed.options.seed} breaks "${failed.violation?.invariant}": ${failed.violation?.detail}`,
    `  show it again:   ${commandOf(failed.options, scenario)}`,
  ];
  if (shrunk !== failed) {
    lines.push(
      `  smaller:         ${commandOf(shrunk.options, scenario)} --trace`,
      `  it says:         ${shrunk.violation?.detail}`,
    );
  }
  const numbers = shrunk.options.keepFaults ?? [...shrunk.schedule.keys()];
  lines.push(
    `  after ${
      (shrunk.simulatedMs / 1000).toFixed(3)
    } s, ${shrunk.steps} events, ${shrunk.operations} operations, with`,
    ...numbers.map((number) => {
      const fault = shrunk.schedule[number];
      return `    fault ${number} at ${fault === undefined ? "?" : describeFault(fault)}`;
    }),
  );
  if (numbers.length === 0) lines.push("    no fault at all");
  if (shrunk.explanation !== null) lines.push(shrunk.explanation);
  return lines.join("\n");
}
