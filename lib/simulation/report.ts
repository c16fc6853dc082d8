// What a person is told of a run: one line when all is well; of a failure the seed, the command that shows it again, the
// faults that it takes and what broke.
import { describeFault } from "./faults.ts";
import { defaultKeys } from "./kv-workload.ts";
import type { RunOptions, RunResult } from "./run.ts";

/**
 * The command line that repeats a run of the key-value workload, byte for byte. `scenario` as it was given there, where it
 * was one; `keys` of the workload. Faults and founders that only code can give are not in it.
 */
export function commandOf(options: RunOptions, scenario: string | null, keys = defaultKeys): string {
  const { seed, nodes = 5, durationMs = 60_000, keepFaults, maxOperations } = options;
  const parts = ["coracle simulate", `--seed ${seed}`];
  if (scenario !== null) parts.push(`--scenario ${quoted(scenario)}`);
  // Six places are less than a thousandth of a millisecond; it is read to whole ones.
  parts.push(`--nodes ${nodes}`, `--minutes ${Number((durationMs / 60_000).toFixed(6))}`);
  if (keys !== defaultKeys) parts.push(`--keys ${keys}`);
  if (keepFaults !== undefined) {
    parts.push(`--faults ${keepFaults.length === 0 ? "none" : keepFaults.join(",")}`);
  }
  if (maxOperations !== undefined) parts.push(`--operations ${maxOperations}`);
  return parts.join(" ");
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** "1 run", "2 runs", "2 entries", "2 processes". */
export function counted(count: number, what: string): string {
  if (count === 1) return `1 ${what}`;
  return `${count} ${
    /(ss|ch)$/.test(what) ? `${what}es` : what.endsWith("y") ? `${what.slice(0, -1)}ies` : `${what}s`
  }`;
}

export function describeRun(result: RunResult): string {
  const { options, operations, faults, committed, leaders, done, refused, unknown, reads } = result;
  return `seed ${options.seed}: ${counted(operations, "operation")} (${counted(done, "write")} done, ` +
    `${counted(reads, "read")}, ${refused} refused, ${unknown} unknown), ${counted(faults, "fault")}, ` +
    `${counted(committed, "entry")}, ${counted(leaders, "leader")}, ` +
    (result.recoveryMs === null ? "not recovered" : `recovered in ${Math.round(result.recoveryMs)} ms`);
}

/** Several lines. `shrunk` is the smaller run that shows the same, where there is one. */
export function describeFailure(
  failed: RunResult,
  shrunk: RunResult,
  scenario: string | null,
  keys = defaultKeys,
): string {
  const lines = [
    `seed ${failed.options.seed} breaks "${failed.violation?.invariant}": ${failed.violation?.detail}`,
    `  show it again:   ${commandOf(failed.options, scenario, keys)}`,
  ];
  if (shrunk !== failed) {
    lines.push(
      `  smaller:         ${commandOf(shrunk.options, scenario, keys)} --trace`,
      `  it says:         ${shrunk.violation?.detail}`,
    );
  }
  const numbers = shrunk.options.keepFaults ?? [...shrunk.schedule.keys()];
  lines.push(
    `  after ${(shrunk.simulatedMs / 1000).toFixed(3)} s, ${shrunk.steps} events, ${
      counted(shrunk.operations, "operation")
    }, with`,
    ...numbers.map((number) => {
      const fault = shrunk.schedule[number];
      return `    fault ${number} at ${fault === undefined ? "?" : describeFault(fault)}`;
    }),
  );
  if (numbers.length === 0) lines.push("    no fault at all");
  if (shrunk.explanation !== null) lines.push(shrunk.explanation);
  return lines.join("\n");
}
