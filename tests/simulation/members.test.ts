// The checker's own arithmetic of majorities, and what runs with changing members must show beyond having no violation.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { isMajority } from "../../lib/simulation/electorate.ts";
import {
  changesMembers,
  findScenario,
  kvWorkload,
  runOptionsOf,
  runWorld,
} from "../../lib/simulation/mod.ts";

setDefaultTimeout(60_000);

describe("majorities by the configuration in force", () => {
  const cases: [voters: string, outgoing: string, learners: string, has: string, expected: boolean][] = [
    ["a", "", "", "a", true],
    ["a", "", "", "", false],
    ["abc", "", "", "ab", true],
    ["abc", "", "", "a", false],
    ["abcd", "", "", "ab", false],
    ["abcd", "", "", "abc", true],
    ["ab", "", "cde", "acde", false],
    ["abc", "cde", "", "abc", false],
    ["abc", "cde", "", "abcd", true],
    ["ab", "abc", "", "ac", false],
    ["ab", "abc", "", "ab", true],
  ];
  for (const [voters, outgoing, learners, has, expected] of cases) {
    test(`${has || "nobody"} of ${voters}${outgoing && ` and ${outgoing}`}: ${expected ? "yes" : "no"}`, () => {
      const configuration = { voters: [...voters], outgoing: [...outgoing], learners: [...learners] };
      assertEquals(isMajority(configuration, (replica) => has.includes(replica)), expected);
    });
  }
});

describe("changing members", () => {
  test("about four of ten seeds change them", () => {
    const count = Array.from({ length: 1000 }, (_, seed) => changesMembers(seed, 5)).filter(Boolean).length;
    assert(count > 330 && count < 470, `${count} of 1000`);
  });

  test("a removed node that returns makes nobody stand for election", async () => {
    const scenario = findScenario("removed-returns");
    assert(scenario !== undefined);
    for (const seed of [1, 2, 3]) {
      const { violation, leaders } = await runWorld(kvWorkload(), runOptionsOf(scenario, seed));
      assertEquals(violation, null);
      // The first one, and another where the one that was cut off and removed was just leading.
      assert(leaders <= 2, `${leaders} leaders`);
    }
  });
});
