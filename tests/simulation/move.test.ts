// Nodes that start again at another address: whoever is told of one other finds all, and at the old address there is nobody.
import { setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { findScenario, kvWorkload, runOptionsOf, runWorld } from "../../lib/simulation/mod.ts";

setDefaultTimeout(60_000);

test("all at once, each told of one other: all are linked again", async () => {
  const scenario = findScenario("all-move");
  assert(scenario !== undefined);
  const lines: string[] = [];
  const { violation } = await runWorld(kvWorkload(), {
    ...runOptionsOf(scenario, 1),
    trace: (line) => lines.push(line),
  });
  assertEquals(violation, null);
  const moves = lines.flatMap((line) => / (n\d) moves to (\S+)$/.exec(line)?.slice(1, 3).join(" ") ?? []);
  assertEquals(moves.length, 1 + 1 + 5 + 5);
  assertEquals(new Set(moves).size, moves.length, "an address was used twice");
  // Behind the last time that all of them moved, and before the world heals.
  const since = lines.filter((line) =>
    Number(line.slice(0, 11)) > 19_500 && Number(line.slice(0, 11)) < 30_000
  );
  const linked = since.flatMap((line) =>
    / link (n\d-n\d) up$/.exec(line)?.[1]?.split("-").sort().join("-") ?? []
  );
  assertEquals(new Set(linked).size, 10, [...new Set(linked)].sort().join(" "));
});

test("fixed members, without gossip: people tell whoever moves where all are", async () => {
  const { violation } = await runWorld(kvWorkload(), {
    ...{ seed: 1, nodes: 3, durationMs: 16_000, mustCommit: [[8000, 10_000], [11_500, 15_000]] },
    faults: [
      { at: 3000, forMs: 500, type: "move", node: "leader" },
      { at: 6000, forMs: 500, type: "move", node: "all" },
      { at: 10_000, forMs: 500, type: "move", node: "any" },
    ],
  });
  assertEquals(violation, null);
});
