// What a scenario says that it shows: with that very bug put in it fails, so that its passing means something.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { type Change, changedCopy } from "../support/changed-copy.ts";

setDefaultTimeout(120_000);

const noDoubtAboutClocks: Change = {
  file: "lib/replica/lease.ts",
  from: "this.#monotonic < leaseUntil && leaseUntil > this.#doubtedAt + this.#electionMs",
  to: "this.#monotonic < leaseUntil",
};

// Four Readies that wait for a disk silence a leader as well, whatever the core thinks of disks.
const unboundedReadies: Change = {
  file: "lib/replica/options.ts",
  from: "maxOutstanding: 4,",
  to: "maxOutstanding: 4000,",
};

const gossipTellsNoAddress: Change = {
  file: "lib/replica/gossiping.ts",
  from: 'if (url !== "") this.#options.links.dial(url, replica);',
  to: "",
};

const deadlinesNeverEnd: Change = {
  file: "lib/replica/deadlines.ts",
  from: "if (end <= this.#next) return;",
  to: "return;",
};

const cases: readonly [scenario: string, bug: string, changes: readonly Change[], invariant: string][] = [
  ["stalled-disk", "no failover (39)", [{ patch: "39-" }, unboundedReadies], "Availability"],
  ["isolated-frozen-leader", "a read from local belief (05)", [{ patch: "05-" }], "Linearizable reads"],
  ["isolated-frozen-leader", "a lease by a stopped clock", [noDoubtAboutClocks], "Linearizable reads"],
  ["all-move", "gossip that tells no address", [gossipTellsNoAddress], "Liveness"],
  ["far-apart", "a ReadIndex given up each heartbeat (34d)", [{ patch: "34d-" }], "Availability"],
  ["leader-partition", "requests that never end", [deadlinesNeverEnd], "Patience"],
];

describe("scenarios find what they are there for", () => {
  for (const [scenario, bug, changes, invariant] of cases) {
    test(`${scenario}: ${bug}`, async () => {
      await using broken = await changedCopy(...changes);
      const flags = ["--scenario", scenario, "--seed", "1", "--runs", "3", "--json"];
      const { code, stdout, stderr } = await broken.coracle(["simulate", ...flags]);
      assertEquals(code, 1, stderr);
      assertEquals(JSON.parse(stdout).failures[0]?.invariant, invariant, stdout);
    });
  }
});
