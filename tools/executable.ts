// Makes dist/coracle when what it is made of has changed since the last time.
import { createHash } from "node:crypto";

const root = new URL("..", import.meta.url).pathname;

/** Compiles if need be; returns the absolute path of the executable. Throws when compiling fails. */
export async function compileIfChanged(): Promise<string> {
  const executable = `${root}dist/coracle`;
  const stamp = Bun.file(`${root}dist/coracle.sources`);
  const wanted = await fingerprint();
  if ((await Bun.file(executable).exists()) && (await stamp.exists()) && (await stamp.text()) === wanted) {
    console.log("ok     executable (unchanged)");
    return executable;
  }
  const began = performance.now();
  const child = Bun.spawn(["./compile.sh"], { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`./compile.sh failed\n${output}${errors}`);
  await stamp.write(wanted);
  console.log(`ok     executable (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  return executable;
}

/** A hash of every source, and of the commit that the executable names. */
async function fingerprint(): Promise<string> {
  const hash = createHash("sha256");
  const git = Bun.spawnSync(["git", "rev-parse", "HEAD"], { cwd: root, stderr: "ignore" });
  hash.update(git.stdout.toString());
  const sources = await Array.fromAsync(new Bun.Glob("lib/**/*").scan({ cwd: root }));
  for (
    const path of [...sources.sort(), "main.ts", "package.json", "bun.lock", "tsconfig.json", "compile.sh"]
  ) {
    hash.update(`${path}\n`).update(await Bun.file(root + path).bytes());
  }
  return hash.digest("hex");
}
