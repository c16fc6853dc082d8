// Makes a failing run smaller: fewer nodes, shorter, fewer faults (delta debugging), fewer operations. A smaller run counts
// when it breaks the same invariant.
import type { RunOptions, RunResult } from "./run.ts";

export type ShrinkProgress = (what: string) => void;

export type Shrunk = { readonly result: RunResult; readonly tries: number };

/** `run` runs the world; at most `maxTries` times. */
export async function shrink(
  failed: RunResult,
  run: (options: RunOptions) => Promise<RunResult>,
  maxTries: number,
  progress: ShrinkProgress = () => {},
): Promise<Shrunk> {
  const invariant = failed.violation?.invariant;
  let best = failed;
  let tries = 0;
  const attempt = async (change: Partial<RunOptions>, what: string): Promise<boolean> => {
    if (tries >= maxTries) return false;
    tries++;
    const result = await run({ ...best.options, ...change });
    if (result.violation?.invariant !== invariant) return false;
    best = result;
    progress(what);
    return true;
  };

  // The run ended where it broke: what was planned for later has no part in it.
  const endedMs = Math.ceil(failed.simulatedMs);
  if (endedMs < (failed.options.durationMs ?? 60_000)) {
    await attempt({ durationMs: endedMs, ...keptBefore(failed, endedMs) }, `${endedMs} ms`);
  }
  // Without the seed's own schedule (its length depends on nodes and time) only faults and operations can shrink.
  if (failed.options.faults === undefined && failed.options.keepFaults === undefined) {
    if ((best.options.nodes ?? 5) > 3) await attempt({ nodes: 3 }, "three nodes");
  }
  let kept = [...(best.options.keepFaults ?? best.schedule.keys())];
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < kept.length;) {
      const fewer = [...kept.slice(0, from), ...kept.slice(from + size)];
      if (await attempt({ keepFaults: fewer }, `${fewer.length} faults`)) kept = fewer;
      else from += size;
    }
  }
  for (let operations = best.operations;;) {
    const fewer = Math.floor(operations / 2);
    if (fewer < 1 || !await attempt({ maxOperations: fewer }, `${fewer} operations`)) break;
    operations = best.operations;
  }
  return { result: best, tries };
}

function keptBefore(failed: RunResult, endedMs: number): Partial<RunOptions> {
  const kept = failed.options.keepFaults ?? [...failed.schedule.keys()];
  return { keepFaults: kept.filter((number) => (failed.schedule[number]?.at ?? 0) <= endedMs) };
}
