// `npm test`: the checks, the executable, then every test against it (or those named: `npm test -- tests/kv`).
// The last line is `N passed, N failed`, alone; a check, a compilation or a test file that fails counts as one.
import { runSteps, statics } from "./check.ts";
import { compileIfChanged } from "./executable.ts";

/** Whatever hangs is ended here; the whole run is to stay under eight minutes on two cores. */
const testsDeadlineMs = 7.5 * 60_000;

const paths = process.argv.slice(2);
let failed = paths.length > 0 ? 0 : (await runSteps(statics)).length;
let passed = paths.length > 0 ? 0 : statics.length - failed;
try {
  const tests = await runTests(await compileIfChanged());
  passed += tests.passed;
  failed += tests.failed;
} catch (error) {
  console.log(`FAILED executable\n${error instanceof Error ? error.message : error}`);
  failed++;
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function runTests(executable: string): Promise<{ passed: number; failed: number }> {
  // bunfig.toml knows no timeout; five seconds are too few for tests with real processes.
  const child = Bun.spawn([process.execPath, "test", "--timeout", "60000", ...paths], {
    cwd: new URL("..", import.meta.url).pathname,
    env: { ...process.env, CORACLE_BIN: executable },
    stdout: "inherit",
    stderr: "pipe",
  });
  let hung = false;
  const deadline = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, testsDeadlineMs);
  // bun test reports on stderr: shown as it comes, its end kept for the closing lines.
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stderr) {
    process.stderr.write(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-20_000);
  }
  const code = await child.exited;
  clearTimeout(deadline);
  if (hung) console.log(`FAILED the tests did not end within ${testsDeadlineMs / 60_000} minutes`);
  const failures = count(tail, "fail");
  return { passed: count(tail, "pass"), failed: code === 0 ? failures : Math.max(1, failures) };
}

/** The number before a word in the closing lines of bun test: ` 8 pass`, ` 0 fail`. */
function count(report: string, word: string): number {
  const plain = Bun.stripANSI(report);
  return Number([...plain.matchAll(new RegExp(`^ *(\\d+) ${word}$`, "gm"))].at(-1)?.[1] ?? 0);
}
