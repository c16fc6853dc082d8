// Runs `bun <arguments>` on a machine that may have nothing but Node ≥ 20 and npm: finds or fetches Bun, installs the
// packages when they are missing or the lockfile changed, then passes stdio, signals and the exit code through.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const local = join(root, "node_modules", ".bin", "bun");
const stamp = join(root, "node_modules", ".coracle-installed");
const pinned = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).devDependencies.bun;

/** The version a command answers with, as numbers; null where it does not run. */
function versionOf(command) {
  const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim().split(/[.+-]/).slice(0, 3).map(Number) : null;
}

function isAtLeast(version, wanted) {
  for (const [at, part] of wanted.split(".").map(Number).entries()) {
    if (version[at] !== part) return version[at] > part;
  }
  return true;
}

/** The command line that is Bun here: the project's own, the machine's if it is new enough, else one fetched through npm. */
function findBun() {
  if (existsSync(local) && versionOf(local) !== null) return [local];
  const onPath = versionOf("bun");
  if (onPath !== null && isAtLeast(onPath, pinned)) return ["bun"];
  console.error(`fetching bun ${pinned} from npm (once) …`);
  return ["npm", "exec", "--yes", `--package=bun@${pinned}`, "--", "bun"];
}

/** What the installed packages depend on. */
function fingerprint() {
  const hash = createHash("sha256");
  for (const name of ["package.json", "bun.lock"]) hash.update(readFileSync(join(root, name)));
  return hash.digest("hex");
}

function install(bun) {
  const wanted = fingerprint();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  console.error("installing packages …");
  const [command, ...before] = bun;
  const { status, error } = spawnSync(command, [...before, "install", "--frozen-lockfile"], {
    cwd: root,
    // stdout belongs to the command that follows.
    stdio: ["ignore", 2, 2],
  });
  if (status !== 0) {
    console.error(`installing the packages failed${error ? `: ${error.message}` : ""}`);
    process.exit(1);
  }
  mkdirSync(join(root, "node_modules"), { recursive: true });
  writeFileSync(stamp, wanted);
}

install(findBun());
const [command, ...before] = findBun();
const child = spawn(command, [...before, ...process.argv.slice(2)], {
  stdio: "inherit",
  // The tools of the project (tsc, deno) are found by name, and every child finds the same Bun.
  env: { ...process.env, PATH: `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}` },
});

// Ctrl-C reaches the child from the terminal too; whoever sends a signal to this process alone means the child.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
// npm passes a signal to the shell between it and this process only, and the shell dies of it alone.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 200);
}
child.on("error", (error) => {
  console.error(`bun could not be started: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
