// `npm run zoo`: puts each known bug (tests/zoo/NN-name.patch) into a copy of the code and looks for what catches it:
// interaction scripts, random lives of the core, paper tests, tests of storage and replica; and, whatever caught it there,
// simulation. Prints a table. `-- --only NN[,NN]` for some of them, `--seconds N` for the simulation of each (25). A bug that nothing catches, one that simulation must see
// and does not, or a patch that does not apply, fails the run.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Catch } from "../tests/zoo/catch.ts";
import type { Simulated } from "../tests/zoo/catch-simulation.ts";

type Bug = {
  readonly number: string;
  readonly title: string;
  readonly path: string;
  readonly inCore: boolean;
  /** Its patch says so: a kept seed, or nearly every run, shows it. */
  readonly mustBeSeen: boolean;
};
type Row = {
  readonly bug: Bug;
  /** By whatever came first. */
  readonly found: Catch | null;
  readonly simulated: Simulated;
  readonly seconds: number;
};

const root = fileURLToPath(new URL("..", import.meta.url));
const zoo = join(root, "tests/zoo");
/** How long random lives and simulation look for one bug, and when a child that hangs is ended; ms. */
const livesMs = 8000;
const simulationMs = 1000 * Number(argument("--seconds") ?? 25);
const hangMs = 65_000 + simulationMs;
const atOnce = 2;

function bugs(only: readonly string[]): Bug[] {
  const names = readdirSync(zoo).filter((name) => name.endsWith(".patch")).sort();
  return names.map((name) => {
    const text = readFileSync(join(zoo, name), "utf8");
    const number = name.split("-")[0] ?? name;
    const title = (text.split("\n")[0] ?? "").replace(/^\S+ /, "");
    const mustBeSeen = text.split("\n")[1] === "Simulation must see it.";
    return { number, title, path: join(zoo, name), inCore: text.includes("--- a/lib/raft/"), mustBeSeen };
  }).filter(({ number }) => only.length === 0 || only.includes(number));
}

async function run(
  folder: string,
  command: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const child = Bun.spawn([...command], { cwd: folder, stdout: "pipe", stderr: "pipe", env: process.env });
  const timer = setTimeout(() => child.kill("SIGKILL"), hangMs);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const code = await child.exited;
  clearTimeout(timer);
  return { code, out, err };
}

/** The working tree, uncommitted files included, as it is at the start. */
async function copyTree(to: string): Promise<void> {
  const { out } = await run(root, ["git", "ls-files", "-co", "--exclude-standard"]);
  for (const path of out.split("\n").filter((line) => line !== "" && existsSync(join(root, line)))) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    cpSync(join(root, path), join(to, path));
  }
  symlinkSync(join(root, "node_modules"), join(to, "node_modules"));
}

/** The one line of JSON of a catcher; one that ends otherwise, or never, has caught something too. */
async function catcher<T>(
  folder: string,
  file: string,
  budgetMs: number,
  ended: (found: Catch) => T,
  number = "",
): Promise<T> {
  const seed = 1 + Math.floor(Math.random() * 1e6);
  const command = ["bun", `tests/zoo/${file}`, `${budgetMs}`, `${seed}`, number];
  const { code, out, err } = await run(folder, command);
  if (code === 0) return JSON.parse(out.trim().split("\n").at(-1) ?? "null");
  const what = err.trim().split("\n").find((line) => /error/i.test(line)) ?? `ended with ${code}`;
  return ended({ by: file.replace(".ts", ""), kind: "test", what, after: "" });
}

function core(folder: string, budgetMs: number, number = ""): Promise<Catch | null> {
  return catcher<Catch | null>(folder, "catch.ts", budgetMs, (found) => found, number);
}

function simulation(folder: string, budgetMs: number): Promise<Simulated> {
  return catcher(folder, "catch-simulation.ts", budgetMs, (found) => ({ found, minutes: 0 }));
}

async function tests(folder: string, paths: readonly string[]): Promise<Catch | null> {
  const there = paths.filter((path) => existsSync(join(folder, path)));
  if (there.length === 0) return null;
  const { code, out, err } = await run(folder, ["bun", "test", "--bail", "--timeout", "60000", ...there]);
  if (code === 0) return null;
  const report = Bun.stripANSI(out + err);
  const name = /^\(fail\) (.*?)( \[[\d.]+m?s\])?$/m.exec(report)?.[1] ?? "(did not end)";
  const what = /error: (.*)/i.exec(report)?.[1] ?? "";
  return { by: `test: ${name}`, kind: "test", what, after: "" };
}

function paperTests(folder: string): string[] {
  const names = readdirSync(join(folder, "tests/raft"));
  return names.filter((name) => name.endsWith(".test.ts") && name !== "random.test.ts").map((name) =>
    `tests/raft/${name}`
  );
}

/** One folder of tests after the other; what fails also without the bug (on a busy machine) has caught nothing. */
async function confirmedTests(
  folder: string,
  base: string,
  groups: readonly string[][],
): Promise<Catch | null> {
  for (const group of groups) {
    const failed = await tests(folder, group);
    if (failed === null) continue;
    if (await tests(base, group) === null) return failed;
    console.error(`${group.join(" ")} fails without any bug put in: not counted`);
  }
  return null;
}

/** What is found without simulation. */
async function hunt(bug: Bug, folder: string, base: string): Promise<Catch | null> {
  if (!bug.inCore) {
    const groups = [["tests/gossip"], ["tests/replica"], ["tests/memory"], ["tests/kv"], ["tests/storage"]];
    return await confirmedTests(folder, base, groups);
  }
  const found = await core(folder, livesMs, bug.number.replace(/\D/g, ""));
  if (found !== null && found.kind !== "trace") return found;
  return await confirmedTests(folder, base, [paperTests(folder)]) ?? found;
}

async function examine(bug: Bug, base: string, work: string): Promise<Row> {
  const begin = performance.now();
  const folder = join(work, bug.number);
  cpSync(base, folder, { recursive: true, verbatimSymlinks: true });
  const applied = await run(folder, ["git", "apply", bug.path]);
  let found: Catch | null = null;
  let simulated: Simulated = { found: null, minutes: 0 };
  if (applied.code === 0) {
    found = await hunt(bug, folder, base);
    simulated = await simulation(folder, simulationMs);
    // An invariant says more than a changed trace.
    if (found === null || found.kind === "trace") found = simulated.found ?? found;
  } else console.error(`${bug.number}: the patch does not apply any more\n${applied.err.trim()}`);
  rmSync(folder, { recursive: true, force: true });
  const row = { bug, found, simulated, seconds: (performance.now() - begin) / 1000 };
  console.error(
    `${bug.number} ${found === null ? "NOT CAUGHT" : `caught by ${found.by}`}; ${inSimulation(row)} (${
      row.seconds.toFixed(1)
    } s)`,
  );
  return row;
}

function inSimulation({ bug, simulated: { found, minutes } }: Row): string {
  if (found !== null) {
    return `${found.what.split(":")[0]}, ${found.by.replace("simulation, ", "")}, ${found.after}`;
  }
  return `${bug.mustBeSeen ? "**NOT SEEN** in" : "not in"} ${minutes.toFixed(0)} simulated minutes`;
}

function table(rows: readonly Row[]): string {
  const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ").slice(0, 140);
  const lines = rows.map((row) => {
    const { bug, found, seconds } = row;
    const how = found === null ? "**NOTHING**" : `${found.by} (${found.kind}): ${found.what}`;
    const cells = [bug.number, bug.title, how, found?.after ?? "", inSimulation(row), seconds.toFixed(1)];
    return `| ${cells.map(cell).join(" | ")} |`;
  });
  const head = "| bug | what was put in | caught by | after | in simulation | s |";
  return [head, "|---|---|---|---|---|---|", ...lines].join("\n");
}

function argument(name: string): string | undefined {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

const chosen = bugs(argument("--only")?.split(",") ?? []);
const work = mkdtempSync(join(tmpdir(), "coracle-zoo-"));
try {
  const base = join(work, "base");
  mkdirSync(base);
  await copyTree(base);
  for (const found of [await core(base, 2000), (await simulation(base, 2000)).found]) {
    if (found !== null) throw new Error(`the code as it is does not pass: ${found.by}: ${found.what}`);
  }
  const waiting = [...chosen];
  const rows: Row[] = [];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      rows.push(await examine(bug, base, work));
    }
  }));
  rows.sort((a, b) => a.bug.path < b.bug.path ? -1 : 1);
  const missed = rows.filter(({ bug, found, simulated }) =>
    found === null || (bug.mustBeSeen && simulated.found === null)
  ).length;
  const seen = rows.filter(({ simulated }) => simulated.found !== null).length;
  console.log(table(rows));
  console.log(`${rows.length - missed} of ${rows.length} bugs caught, ${seen} seen in simulation`);
  process.exitCode = missed === 0 && rows.length > 0 ? 0 : 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
