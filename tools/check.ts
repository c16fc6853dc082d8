// `npm run check`: format, lint, types and the house rules, each reported on one line, with the output of what failed.
// Formatting is mended with `deno fmt`.

export type Step = { readonly name: string; readonly command: readonly string[]; readonly mend: string };

const tidy: Step = {
  name: "house rules",
  command: [process.execPath, "test", "./tests/tidy/"],
  mend: "see the message; the rules stand in tests/tidy/tidy.test.ts",
};

export const statics: readonly Step[] = [
  {
    name: "format",
    command: ["deno", "fmt", "--check"],
    mend: "run `node_modules/.bin/deno fmt`",
  },
  { name: "lint", command: ["deno", "lint", "--quiet"], mend: "see the messages" },
  { name: "types", command: ["tsc", "-p", "."], mend: "see the messages" },
  {
    name: "pure rooms",
    command: ["tsc", "-p", "tests/tidy/pure"],
    mend: "a pure room knows only ECMAScript: no clock, chance, I/O (docs/architecture.md)",
  },
];

/** Runs the steps one after another; returns the names of those that failed. */
export async function runSteps(steps: readonly Step[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, command, mend } of steps) {
    const began = performance.now();
    const child = Bun.spawn([...command], {
      cwd: new URL("..", import.meta.url).pathname,
      env: { ...process.env, PATH: `node_modules/.bin:${process.env.PATH ?? ""}`, NO_COLOR: "1" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [output, errors, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
    if (code === 0) continue;
    failed.push(name);
    console.log(`${(output + errors).trimEnd()}\n→ ${mend}`);
  }
  return failed;
}

if (import.meta.main) {
  const failed = await runSteps([...statics, tidy]);
  console.log(failed.length === 0 ? "all checks passed" : `failed: ${failed.join(", ")}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
