// A copy of the sources with something put in that is wrong, to see a test, a scenario or a command find it.
import { cp, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "./temp-folder.ts";

const root = new URL("../..", import.meta.url).pathname;

/** A patch of the zoo by the beginning of its name ("39-"), or a piece of one file and what stands there instead. */
export type Change =
  | { readonly patch: string }
  | { readonly file: string; readonly from: string; readonly to: string };

type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type ChangedCopy = AsyncDisposable & {
  readonly path: string;
  /** Runs its `coracle …` to the end. */
  coracle(args: readonly string[]): Promise<Ended>;
  /** Runs one of its TypeScript files. */
  run(args: readonly string[]): Promise<Ended>;
};

export async function changedCopy(...changes: readonly Change[]): Promise<ChangedCopy> {
  const folder = await tempFolder("changed");
  const { path } = folder;
  for (const name of ["lib", "tools", "tests", "main.ts", "package.json", "tsconfig.json", "LICENSE"]) {
    await cp(join(root, name), join(path, name), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(path, "node_modules"));
  for (const change of changes) {
    if ("patch" in change) await applyPatch(path, change.patch);
    else await replace(join(path, change.file), change.from, change.to);
  }
  const run = async (args: readonly string[]) => {
    const child = Bun.spawn([process.execPath, ...args], {
      cwd: path,
      stdout: "pipe",
      stderr: "pipe",
      timeout: 100_000,
      killSignal: "SIGKILL",
    });
    const [stdout, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
    ]);
    return { code: await child.exited, stdout, stderr };
  };
  const coracle = (args: readonly string[]) => run(["main.ts", ...args]);
  return { path, run, coracle, [Symbol.asyncDispose]: () => folder.remove() };
}

async function applyPatch(path: string, beginning: string): Promise<void> {
  const names = [...new Bun.Glob(`${beginning}*.patch`).scanSync(join(root, "tests/zoo"))];
  if (names.length !== 1) throw new Error(`${beginning} is the beginning of ${names.length} patches`);
  const patch = join(root, "tests/zoo", names[0] ?? "");
  const child = Bun.spawn(["git", "apply", patch], { cwd: path, stdout: "ignore", stderr: "pipe" });
  const complaint = await new Response(child.stderr).text();
  if (await child.exited !== 0) throw new Error(`${patch} does not apply: ${complaint}`);
}

async function replace(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(file, "utf8");
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold "${from}" once`);
  await writeFile(file, text.replace(from, () => to));
}
