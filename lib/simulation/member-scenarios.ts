// Scenarios in which the members change: growing and shrinking, leaders killed in joint changes, lost disks, returns.
import type { Fault } from "./faults.ts";
import type { Scenario } from "./scenario.ts";

const three = ["n1", "n2", "n3"];
const five = [...three, "n4", "n5"];

/** Time from when people ask until the leader dies: before, in the middle of, and behind every stage of the joint change. */
const stagesMs = [4, 12, 17, 22, 27, 33, 45];

export const memberScenarios: readonly Scenario[] = [
  {
    name: "grow-and-shrink",
    description: "One node becomes three, then five, then three again; writes go on meanwhile.",
    nodes: 5,
    founders: 1,
    durationMs: 22_000,
    mustCommit: [[2000, 4000], [4000, 6000], [7000, 9000], [9000, 11_000], [12_000, 14_000], [
      15_000,
      18_000,
    ]],
    faults: [
      { at: 3000, forMs: 100, type: "join", node: "n2" },
      { at: 4500, forMs: 100, type: "join", node: "n3" },
      { at: 7500, forMs: 100, type: "join", node: "n4" },
      { at: 9000, forMs: 100, type: "join", node: "n5" },
      { at: 13_000, forMs: 100, type: "configure", voters: three, learners: [] },
    ],
  },
  {
    name: "leader-dies-in-joint-change",
    description:
      "Three voters become five and three again; the leader is killed at another stage of each change.",
    nodes: 5,
    founders: 5,
    durationMs: 4000 + stagesMs.length * 7000,
    faults: stagesMs.flatMap((stageMs, at): Fault[] => [
      {
        ...{ at: 4000 + at * 7000, forMs: 100, type: "configure" },
        ...(at % 2 === 0 ? { voters: three, learners: ["n4", "n5"] } : { voters: five, learners: [] }),
      },
      { at: 4000 + at * 7000 + stageMs, forMs: 2000, type: "crash", node: "leader", power: at % 3 === 0 },
    ]),
  },
  {
    name: "wiped-and-back",
    description:
      "Disks are lost one after the other, the leader's too: each comes back as another replica and votes.",
    founders: 3,
    durationMs: 30_000,
    mustCommit: [[8000, 11_000], [15_000, 18_000], [22_000, 25_000]],
    faults: [5000, 12_000, 19_000].map((at, turn) => ({
      ...{ at, forMs: 1000, type: "wipe", node: turn === 1 ? "leader" : "follower" },
    })),
  },
  {
    name: "removed-returns",
    description:
      "A member is removed while it is cut off. It comes back, learns that, disturbs nobody; later it enters anew.",
    nodes: 4,
    founders: 4,
    durationMs: 26_000,
    mustCommit: [[6500, 9000], [10_500, 12_500]],
    faults: [
      { at: 4000, forMs: 6000, type: "partition", side: ["n3"] },
      { at: 6000, forMs: 100, type: "remove", node: "n3" },
      { at: 12_000, forMs: 1500, type: "crash", node: "n3" },
      { at: 17_000, forMs: 100, type: "join", node: "n3" },
    ],
  },
  {
    name: "two-joins-at-once",
    description: "Two nodes ask to be let in at the same moment, and the leader dies: both end up as voters.",
    nodes: 5,
    founders: 3,
    durationMs: 16_000,
    mustCommit: [[8000, 10_000]],
    faults: [
      { at: 5000, forMs: 100, type: "join", node: "n4" },
      { at: 5000, forMs: 100, type: "join", node: "n5" },
      { at: 5200, forMs: 2500, type: "crash", node: "leader" },
    ],
  },
  {
    name: "all-move",
    description:
      "One member after the other starts again at another address, then all at once: each is told of one other, and finds the rest.",
    nodes: 5,
    founders: 5,
    durationMs: 30_000,
    mustCommit: [[5000, 8000], [9000, 12_000], [16_000, 18_500], [21_000, 24_000]],
    faults: [
      { at: 4000, forMs: 500, type: "move", node: "leader" },
      { at: 8000, forMs: 500, type: "move", node: "follower" },
      { at: 14_000, forMs: 500, type: "move", node: "all" },
      { at: 19_000, forMs: 500, type: "move", node: "all" },
    ],
  },
  {
    name: "corrupt-and-back",
    description: "A member's log is damaged: it puts it aside, enters anew and votes again.",
    founders: 3,
    durationMs: 16_000,
    mustCommit: [[9000, 12_000]],
    faults: [
      { at: 5000, forMs: 500, type: "corrupt", node: "n2" },
      { at: 11_000, forMs: 100, type: "transfer" },
    ],
  },
];
