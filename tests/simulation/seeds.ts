// Every seed that ever showed a fault of ours, with what it showed: replayed by world.test.ts for ever.
//
// A seed means another run whenever something draws otherwise or happens at another time. That was so last when links
// learned to lag, and when leaders and readers learned how long an answer takes: since then only the seeds with `zoo` have been seen
// to fail again, each with that bug put in. The others are runs like any other, kept with what they once showed.
import type { RunOptions } from "../../lib/simulation/mod.ts";

export type FoundSeed = {
  readonly run: Omit<RunOptions, "trace">;
  /** Keys of the workload, where not the default. */
  readonly keys?: number;
  /** What broke, and what mended it. */
  readonly showed: string;
  /** The bug of the zoo that it shows today. */
  readonly zoo?: string;
};

export const foundSeeds: readonly FoundSeed[] = [
  {
    run: { founders: null, seed: 310131231929, durationMs: 6258, keepFaults: [0] },
    showed:
      "a paused candidate wins an old term after a later one has committed: the invariant asked too much",
  },
  {
    run: { founders: null, seed: 310131232216, nodes: 3, durationMs: 60_000 },
    keys: 24,
    showed: "the same, with three nodes and a long log",
  },
  {
    run: { founders: null, seed: 135, durationMs: 60_000 },
    showed: "a candidate's term that was never durable is forgotten in a crash: the invariant asked too much",
  },
  {
    run: { founders: null, seed: 858822916180, nodes: 3, durationMs: 60_000 },
    showed: "what a dead process asked of its disk shifted the account of what a crash leaves behind",
  },
  {
    run: { founders: null, seed: 466051352416, nodes: 3, durationMs: 30_000 },
    showed: "late rejections of a window with a hole had the whole window sent again, each of them",
    zoo: "40c",
  },
  {
    run: { seed: 69790023669, nodes: 5 },
    keys: 6,
    showed:
      "a removed node went on asking to be let in, and the next leader did so: a member that says nothing",
  },
  {
    run: { seed: 69790023774, nodes: 5 },
    showed: "a removed node that was asked to stop campaigned once more meanwhile",
  },
  {
    run: { seed: 116, founders: 1, durationMs: 30_000 },
    showed: "the only voter commits before it sends anything: two invariants asked too much",
  },
  {
    run: { seed: 713219936965, nodes: 5 },
    showed:
      "the leader forgot a learner as soon as it had caught up, before telling it: it was brought up for ever",
  },
  {
    run: { seed: 120176, nodes: 5, durationMs: 60_000 },
    showed: "nothing here; who was removed goes on asking to be let in, with that bug put in",
    zoo: "43",
  },
  {
    run: { seed: 802866, nodes: 5, durationMs: 60_000 },
    keys: 6,
    showed: "nothing here; a learner is brought up for ever, with that bug put in",
    zoo: "45",
  },
  {
    run: { seed: 515, nodes: 3, founders: 3, durationMs: 6000, maxOperations: 20 },
    showed:
      "nothing here; a second cluster, though the first had done nothing, where a founder starts without knowing that its record was seen",
  },
  {
    run: { seed: 876435514423, nodes: 5, durationMs: 60_000 },
    showed:
      "a suspended leader woke to an older term than the one that had committed its entry: the invariant asked too much",
  },
  {
    run: { seed: 90143, nodes: 5, durationMs: 60_000 },
    showed:
      "people who named an id threw out the incarnation that was just coming back; its request was on its way to a leader that did not know",
  },
  {
    run: { seed: 863364990649, nodes: 5, durationMs: 60_000 },
    showed:
      "entries of an old leader were acknowledged after the new one's had cut them off, both in one turn",
  },
  {
    run: { seed: 302, nodes: 5, durationMs: 40_314, keepFaults: [5] },
    showed:
      "a leader whose disk stood still asked again and again, turn after turn, for reads that it could not ask for",
    zoo: "40d",
  },
  {
    run: { seed: 504377, nodes: 5, durationMs: 60_000 },
    showed:
      "a voter that had never heard that it was one, and another that needed its vote: only a leader could have told it",
  },
  {
    run: { seed: 1069050896426, nodes: 5, durationMs: 60_000 },
    showed:
      "the same, where the configuration that lists the voter is not known to be committed: the joint phase was never left",
  },
  {
    run: { seed: 1069050892511, nodes: 5, durationMs: 60_000 },
    showed:
      "the only founder that had heard of its cluster lost its disk before anything was done, and the others formed one: the invariant asked too much",
  },
  {
    run: { seed: 506073, nodes: 5, durationMs: 60_000 },
    keys: 6,
    showed:
      "nothing here; a removed node that is asked to stop campaigns, with that bug put in, until runs changed",
  },
  {
    run: { seed: 395397, nodes: 3, durationMs: 60_000 },
    showed: "nothing here; a lease that runs from the answer, where links lag, until runs changed",
  },
  {
    run: { seed: 936, nodes: 3, durationMs: 60_000 },
    showed: "nothing here; a lease among nodes of different timing, with that bug put in, until runs changed",
  },
  {
    run: { seed: 700294, nodes: 5, durationMs: 60_000 },
    showed: "nothing here; a configuration that is used only when it is applied",
    zoo: "21",
  },
  {
    run: { seed: 81, nodes: 5, durationMs: 60_000 },
    showed: "nothing here; a configuration that stays though its entry was cut off",
    zoo: "22",
  },
  {
    run: { seed: 783350865272, nodes: 3, durationMs: 60_000 },
    showed: "a node that had just been removed said that less was committed than it had said before",
  },
];
