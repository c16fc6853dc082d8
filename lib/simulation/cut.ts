// Cuts and delays between nodes. They nest: a way is open when every cut of it is over.
import type { Release } from "./holds.ts";
import type { Network } from "./network.ts";
import type { RandomSource } from "./random.ts";

/** The nodes of one side lose the others, or only what goes one way between them. */
export function cut(
  network: Network,
  side: readonly string[],
  others: readonly string[],
  oneWay: "out" | "in" | undefined,
  random: RandomSource,
): Release {
  // Some cuts are noticed by the links' own pings, some last on as silence.
  const noticed = random.chance(0.6);
  const ways = waysBetween(side, others, oneWay);
  for (const [from, to] of ways) network.block(from, to, noticed ? random.between(500, 3000) : null);
  return () => {
    for (const [from, to] of ways) network.unblock(from, to);
  };
}

/** What they say to each other, or what goes one way between them, takes so much longer. */
export function lag(
  network: Network,
  side: readonly string[],
  others: readonly string[],
  oneWay: "out" | "in" | undefined,
  delayMs: number,
): Release {
  const ends = waysBetween(side, others, oneWay).map(([from, to]) => network.slow(from, to, delayMs));
  return () => ends.forEach((end) => end());
}

function waysBetween(
  side: readonly string[],
  others: readonly string[],
  oneWay: "out" | "in" | undefined,
): readonly (readonly [from: string, to: string])[] {
  const ways: [string, string][] = [];
  for (const a of side) {
    for (const b of others) {
      if (oneWay !== "in") ways.push([a, b]);
      if (oneWay !== "out") ways.push([b, a]);
    }
  }
  return ways;
}
