// A scenario file is read strictly: whatever would make it pass without testing anything is refused, with its path.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { builtInScenarios, kvWorkload, parseScenario, runWorld } from "../../lib/simulation/mod.ts";

const crash = { at: 1, forMs: 2, type: "crash", node: "leader" };

/** A scenario whose one fault strikes at 1 ms, with these fields; `type` stands first. */
const fault = (type: string, fields: object = {}) => ({
  durationMs: 5000,
  founders: 2,
  faults: [{ at: 1, forMs: 2, type, ...fields }],
});

function problemOf(scenario: unknown): string {
  const parsed = parseScenario(typeof scenario === "string" ? scenario : JSON.stringify(scenario));
  return parsed.ok ? "" : parsed.problem;
}

describe("refused", () => {
  const cases: readonly [scenario: unknown, problem: RegExp | string][] = [
    ["{", /^not JSON: /],
    ["[]", "a scenario is an object with durationMs and faults"],
    ["null", "a scenario is an object with durationMs and faults"],
    [{ durationMs: 5000 }, "faults: is missing; a list is expected"],
    [{ faults: [] }, "durationMs: is missing; a number from 1 to 100000000 is expected"],
    [{ durationMs: -1, faults: [] }, /^durationMs: a number from 1 .* is expected, not -1$/],
    [{ durationMs: "5 s", faults: [] }, /^durationMs: .*, not "5 s"$/],
    [
      { durationMs: 5000, faults: [], mustComit: [] },
      /^mustComit: a scenario has no such field, only name, /,
    ],
    [{ durationMs: 5000, faults: [], nodes: 10 }, "nodes: a whole number from 1 to 9 is expected, not 10"],
    [{ durationMs: 5000, faults: [], nodes: 2.5 }, /^nodes: /],
    [
      { durationMs: 5000, faults: [], founders: 4 },
      "founders: a whole number from 1 to 3 is expected, not 4",
    ],
    [{ durationMs: 5000, faults: [], name: 7 }, "name: a text is expected, not 7"],
    [
      { durationMs: 5000, faults: [], mustCommit: [[1, 6000]] },
      /^mustCommit\[0\]: \[fromMs, toMs\] from 0 to/,
    ],
    [{ durationMs: 5000, faults: [], mustCommit: [[3, 2]] }, /^mustCommit\[0\]: /],
    [{ durationMs: 5000, faults: [], mustLead: [[3]] }, /^mustLead\[0\]: /],
    [
      { durationMs: 5000, faults: [crash, "crash"] },
      "faults[1]: a fault is an object with type, at and forMs",
    ],
    [fault("crush"), /^faults\[0\]\.type: one of partition, lag, flap, .* is expected, not "crush"$/],
    [
      { durationMs: 5000, faults: [{ ...crash, at: -1 }] },
      /^faults\[0\]\.at: a number of ms from 0 to below/,
    ],
    [
      { durationMs: 5000, faults: [{ ...crash, at: 5000 }] },
      /^faults\[0\]\.at: .*\(5000\) is expected, not 5000$/,
    ],
    [
      { durationMs: 5000, faults: [{ ...crash, forMs: -2 }] },
      "faults[0].forMs: a number from 0 is expected, not -2",
    ],
    [fault("crash"), /^faults\[0\]\.node: is missing; one of leader, follower, any, n1, n2, n3 is expected$/],
    [fault("crash", { node: "n9" }), /^faults\[0\]\.node: one of .*, n3 is expected, not "n9"$/],
    [fault("crash", { node: "Leader" }), /^faults\[0\]\.node: /],
    [fault("crash", { node: "n1", power: "yes" }), 'faults[0].power: true or false is expected, not "yes"'],
    [fault("blackout", { nod: 1 }), "faults[0].nod: a blackout has no such field, only type, at, forMs"],
    [fault("partition", { side: [] }), "faults[0].side: at least one node is expected, not []"],
    [fault("partition", { side: ["n1", "n7"] }), /^faults\[0\]\.side\[1\]: one of /],
    [
      fault("partition", { side: ["n1"], oneWay: "up" }),
      'faults[0].oneWay: one of out, in is expected, not "up"',
    ],
    [
      fault("flap", { a: "n1", b: "n1", periodMs: 9 }),
      "faults[0].b: another node than faults[0].a is expected",
    ],
    [
      fault("storm", { loss: 7, duplicate: 0, delayMs: 1 }),
      "faults[0].loss: a number from 0 to 1 is expected, not 7",
    ],
    [fault("storm", { loss: 0, duplicate: 0, delayMs: -1 }), /^faults\[0\]\.delayMs: /],
    [fault("drift", { node: "any", rate: 0 }), /^faults\[0\]\.rate: /],
    [fault("ambush", { node: "any", on: "vot", action: "crash" }), /^faults\[0\]\.on: one of vote, campaign/],
    [
      fault("ambush", { node: "any", on: "vote", action: "stop" }),
      /^faults\[0\]\.action: one of crash, isolate/,
    ],
    [fault("join", { node: "n3", role: "king" }), /^faults\[0\]\.role: one of voter, learner/],
    [fault("join", { node: "leader" }), /^faults\[0\]\.node: one of any, n1, n2, n3 is expected/],
    [
      { ...fault("join", { node: "n3" }), founders: undefined },
      "faults[0].type: members change only where the scenario names its founders",
    ],
    [{ ...fault("remove", { node: "n3" }), founders: undefined }, /^faults\[0\]\.type: members change only/],
    [fault("configure", { voters: ["leader"] }), /^faults\[0\]\.voters\[0\]: one of n1, n2, n3 is expected/],
    [fault("configure", { learners: ["n1"] }), /^faults\[0\]\.voters: is missing beside learners/],
    [fault("transfer", { to: "n4" }), /^faults\[0\]\.to: one of leader, /],
  ];
  for (const [scenario, problem] of cases) {
    test(`${problem}`, () => {
      if (typeof problem === "string") assertEquals(problemOf(scenario), problem);
      else assertMatch(problemOf(scenario), problem);
    });
  }
});

test("what is built in could stand in a file", () => {
  for (const scenario of builtInScenarios) assertEquals(problemOf(scenario), "", scenario.name);
});

test("what a file leaves out has a value, what it says is kept", () => {
  const given = {
    durationMs: 5000,
    faults: [crash],
    mustCommit: [[1000, 4000]],
    mustLead: [[1, 4000]],
    mustRead: [[2000, 4000]],
  };
  const parsed = parseScenario(JSON.stringify(given));
  assert(parsed.ok);
  assertEquals(parsed.scenario as unknown, { name: "scenario", description: "", ...given });
});

describe("a fault that finds nothing to strike", () => {
  const run = { seed: 1, nodes: 3, durationMs: 6000 };

  test("fails the run, by name", async () => {
    // The second one is of a node that is down by then.
    const { violation } = await runWorld(kvWorkload(), {
      ...run,
      faults: [
        { at: 2000, forMs: 2000, type: "crash", node: "n1" },
        { at: 2500, forMs: 100, type: "pause", node: "n1" },
      ],
    });
    assertEquals(violation, {
      invariant: "Scenario",
      detail: "fault 1 at 2.500s for 0.100s: pause node=n1: it did not strike",
    });
  });

  test("also one that lay in wait in vain", async () => {
    const { violation, faults } = await runWorld(kvWorkload(), {
      ...run,
      faults: [{ at: 3000, forMs: 500, type: "ambush", node: "any", on: "campaign", action: "crash" }],
    });
    assertEquals([violation?.invariant, faults], ["Scenario", 0]);
  });

  test("unless it was left out, or lies past the end of a run made shorter", async () => {
    const faults = [
      { at: 2000, forMs: 500, type: "ambush", node: "any", on: "campaign", action: "crash" },
      { at: 9000, forMs: 500, type: "crash", node: "leader" },
    ] as const;
    assertEquals((await runWorld(kvWorkload(), { ...run, faults, keepFaults: [1] })).violation, null);
  });
});
