// Runs inside a copy of the code that has a bug put in: interaction scripts first, then random lives of the core. Prints
// one line of JSON: the first broken invariant, or else the first script that came out differently, or null.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { live } from "../raft/chaos.ts";
import { runScript } from "../scripts/interpreter.ts";
import { seededRandom } from "../support/random.ts";

export type Catch = {
  readonly by: string;
  /** A broken invariant says what is wrong; a changed trace only that something is. */
  readonly kind: "invariant" | "trace" | "test";
  readonly what: string;
  readonly after: string;
};

const scriptFolder = join(import.meta.dirname, "../scripts");

function scriptCatches(): Catch[] {
  const catches: Catch[] = [];
  for (const name of readdirSync(scriptFolder).filter((file) => file.endsWith(".txt")).sort()) {
    const expected = readFileSync(join(scriptFolder, name), "utf8").split("\n");
    const found = runScript(expected.join("\n")).split("\n");
    const at = found.findIndex((line, index) => line !== expected[index]);
    if (at < 0 && found.length === expected.length) continue;
    const broken = found.find((line) => line.startsWith("BROKEN: ") && !expected.includes(line));
    const by = `script ${name.replace(".txt", "")}`;
    if (broken !== undefined) {
      catches.push({
        by,
        kind: "invariant",
        what: broken.slice(8),
        after: `line ${found.indexOf(broken) + 1}`,
      });
    } else {
      catches.push({ by, kind: "trace", what: found[at] ?? "(shorter)", after: `line ${at + 1}` });
    }
  }
  return catches;
}

function lifeCatch(budgetMs: number, firstSeed: number): Catch | null {
  const end = performance.now() + budgetMs;
  const seeds = seededRandom(firstSeed);
  for (let lives = 1, steps = 0; performance.now() < end; lives++) {
    const life = live(Math.floor(seeds() * 2 ** 32), 600);
    steps += life.steps;
    if (life.failure === null) continue;
    const what = life.failure.split("\n")[0] ?? "";
    return {
      by: `random life, SEED=${life.seed}`,
      kind: "invariant",
      what,
      after: `${steps} steps, ${lives} lives`,
    };
  }
  return null;
}

/** The script that tells of this very bug comes first. */
const own = `script bug-${process.argv[4] ?? ""}-`;
const scripts = scriptCatches().sort((a, b) => Number(b.by.startsWith(own)) - Number(a.by.startsWith(own)));
const byInvariant = scripts.find(({ kind }) => kind === "invariant");
const budgetMs = Number(process.argv[2] ?? 8000);
const found = byInvariant ?? lifeCatch(budgetMs, Number(process.argv[3] ?? 1)) ?? scripts[0] ?? null;
console.log(JSON.stringify(found));
