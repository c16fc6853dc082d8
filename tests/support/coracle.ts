// The program under test: the compiled executable that `npm test` names in CORACLE_BIN, else the sources.

const root = new URL("../..", import.meta.url).pathname;

/** The command line that starts it. */
export function coracleCommand(): readonly string[] {
  const executable = process.env["CORACLE_BIN"];
  return executable ? [executable] : [process.execPath, `${root}main.ts`];
}

/** Nothing of the machine's environment that could be taken for a flag. */
export function cleanEnvironment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG"];
  return {
    ...Object.fromEntries(kept.flatMap((name) => process.env[name] ? [[name, process.env[name]]] : [])),
    ...more,
  };
}

export type RunOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string | Uint8Array<ArrayBuffer>;
  readonly cwd?: string;
  /** Put before the command: runs it somewhere else (tests/support/hosts.ts). */
  readonly prefix?: readonly string[];
  /** Killed after it; default 20,000. */
  readonly deadlineMs?: number;
};

export type RunResult = {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** Runs `coracle …` to its end. */
export async function runCoracle(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { stdin, env = {}, cwd = root, deadlineMs = 20_000, prefix = [] } = options;
  const child = Bun.spawn([...prefix, ...coracleCommand(), ...args], {
    env: cleanEnvironment(env),
    cwd,
    stdin: stdin === undefined
      ? "ignore"
      : typeof stdin === "string"
      ? new TextEncoder().encode(stdin)
      : stdin,
    stdout: "pipe",
    stderr: "pipe",
    timeout: deadlineMs,
    killSignal: "SIGKILL",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}
