// What the benchmarks share: the executable they measure, the client that drives it, and the middle of a list.
import { join } from "node:path";
import { compileIfChanged } from "../tools/executable.ts";

/** Compiled executables are measured, not sources: what tests/support starts is this one, or the one that CORACLE_BIN names. */
export async function measuredExecutable(): Promise<string> {
  return process.env["CORACLE_BIN"] ||= await compileIfChanged();
}

/** The closed- and open-loop client (Go); returns its path. Null where there is no go: then the reason has been printed. */
export async function benchClient(): Promise<string | null> {
  if (Bun.which("go") === null) {
    console.log("skipped: the client needs go (Debian: apt-get install golang)");
    return null;
  }
  const client = join(import.meta.dirname, "../dist/bench-client");
  const build = Bun.spawn(["go", "build", "-o", client, "."], {
    cwd: join(import.meta.dirname, "client"),
    stderr: "inherit",
  });
  if (await build.exited !== 0) throw new Error("the client cannot be built");
  return client;
}

/** Of an even number, the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? NaN) + (sorted[Math.floor(middle)] ?? NaN)) / 2;
}

export function spread(numbers: readonly number[], digits = 2): string {
  return `${Math.min(...numbers).toFixed(digits)}–${Math.max(...numbers).toFixed(digits)}`;
}
