// `dev` starts replicas of its own kind.

/** The command line that starts this same program again, compiled or from source. */
export function selfCommand(): readonly string[] {
  const compiled = Bun.main.startsWith("/$bunfs/") || Bun.main.includes("~BUN");
  return compiled ? [process.execPath] : [process.execPath, Bun.main];
}
