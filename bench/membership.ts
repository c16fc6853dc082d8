// What a change of the members costs: the p99 of writes while one voter is replaced by another and back, again and again,
// beside the same without; and how soon an empty node votes. Real processes, default timing, load at a fixed rate.
//
//   npm run bench:membership -- [--pairs 10] [--seconds 5] [--joins 5] [--share 0.3] [--pause-ms 0]
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Fleet } from "../tests/cluster/fleet.ts";
import { withFleet } from "../tests/cluster/fleet.ts";
import { eventually } from "../tests/support/eventually.ts";
import { freePorts } from "../tests/support/free-ports.ts";
import type { NodeProcess } from "../tests/support/node-process.ts";
import { benchClient, measuredExecutable, median, spread } from "./measure.ts";

type Measured = {
  readonly operations: number;
  readonly failures: number;
  readonly perSecond: number;
  readonly p50us: number;
  readonly p99us: number;
  readonly firstError?: string;
};
type Window = Measured & { readonly changes: readonly number[] };

const { values: flags } = parseArgs({
  options: {
    pairs: { type: "string", default: "10" },
    seconds: { type: "string", default: "5" },
    joins: { type: "string", default: "5" },
    share: { type: "string", default: "0.3" },
    "pause-ms": { type: "string", default: "0" },
  },
});
const seconds = Number(flags.seconds);
/** Between two changes. With 0 some change is running nearly all the time, so that the p99 is that of writes during one. */
const pauseMs = Number(flags["pause-ms"]);
const client = await benchClient();
/** As a node runs by default; the fleet's own flags are for tests. */
const asByDefault = ["--heartbeat-ms", "100", "--election-ms", "500", "--log-level", "info"];

/** 256-byte writes through 64 connections; rate 0 = as fast as they are answered. The client warms up for a second. */
async function load(nodes: readonly NodeProcess[], rate: number): Promise<Measured> {
  if (client === null) throw new Error("there is no client");
  const child = Bun.spawn(
    [
      client,
      ...["-urls", nodes.map(({ url }) => url).join(), "-op", "put", "-connections", "64"],
      ...["-rate", String(rate), "-duration", `${seconds}s`],
    ],
    { stdout: "pipe", stderr: "inherit" },
  );
  const output = await new Response(child.stdout).text();
  if (await child.exited !== 0) throw new Error("the client failed");
  return JSON.parse(output);
}

async function configure(at: NodeProcess, voters: readonly string[], learners: readonly string[]) {
  const body = JSON.stringify({ voters, learners });
  const response = await at.fetch("/v1/cluster/configuration", { method: "PUT", body });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${voters.join()}: ${response.status} ${answer}`);
}

/** n3 and n4 take turns as the third voter until told to stop; how long each change took, in ms, until it was over. */
async function changing(fleet: Fleet, at: NodeProcess, until: () => boolean): Promise<number[]> {
  const took: number[] = [];
  while (!until() || took.length % 2 === 1) {
    const [enters, leaves] = took.length % 2 === 0 ? ["n4", "n3"] : ["n3", "n4"];
    const began = performance.now();
    await configure(at, ["n1", "n2", enters], [leaves]);
    await fleet.voters(at, ["n1", "n2", enters]);
    took.push(performance.now() - began);
    if (pauseMs > 0) await Bun.sleep(pauseMs);
  }
  return took;
}

async function window(
  fleet: Fleet,
  loaded: readonly NodeProcess[],
  rate: number,
  change: boolean,
): Promise<Window> {
  let ended = false;
  const measured = load(loaded, rate).finally(() => {
    ended = true;
  });
  const changes = change ? await changing(fleet, fleet.node("n1"), () => ended) : [];
  return { ...await measured, changes };
}

/** Milliseconds from starting the process with an empty folder until a member says that it votes, and no change is running. */
async function joinAndVote(fleet: Fleet, id: string): Promise<number> {
  const n1 = fleet.node("n1");
  const voters = (await fleet.view(n1)).configuration.voters;
  const node = fleet.make(id, ["--join", n1.url]);
  const began = performance.now();
  await Promise.all([node.start(), fleet.voters(n1, [...voters, id], 60_000)]);
  const elapsed = performance.now() - began;
  await n1.fetch(`/v1/cluster/members/${id}`, { method: "DELETE" });
  await fleet.voters(n1, voters);
  await node.kill();
  return elapsed;
}

async function joins(fleet: Fleet, what: string): Promise<void> {
  const { revision } = await (await fleet.node("n1").fetch("/v1/cluster")).json() as { revision: number };
  if (Number(flags.joins) === 0) return;
  const times: number[] = [];
  for (let at = 0; at < Number(flags.joins); at++) times.push(await joinAndVote(fleet, `${what}-${at}`));
  console.log(
    `an empty node votes, log of ${revision} entries, ms: ${median(times).toFixed(0)} (${spread(times, 0)})`,
  );
}

function report(withChange: readonly Window[], without: readonly Window[], rate: number): void {
  const row = (name: string, windows: readonly Window[]) => {
    const of = (pick: (one: Window) => number) => windows.map((one) => pick(one) / 1000);
    const [p50, p99] = [of((one) => one.p50us), of((one) => one.p99us)];
    const failures = windows.reduce((sum, one) => sum + one.failures, 0);
    const shown = [p50, p99].map((list) => `${median(list).toFixed(2)} (${spread(list, 2)})`);
    console.log(`| ${name} | ${shown.join(" | ")} | ${failures} |`);
  };
  console.log(`\nopen loop, ${Math.round(rate)} writes/s of 256 B, ${without.length} pairs of ${seconds} s`);
  console.log("| | p50 ms (spread) | p99 ms (spread) | failed |\n|---|---|---|---|");
  row("without", without);
  row("voters change", withChange);
  for (const percentile of ["p50us", "p99us"] as const) {
    const ratios = withChange.map((one, at) => one[percentile] / (without[at]?.[percentile] ?? NaN));
    // How much two windows differ that differ in nothing.
    const noise = without.slice(1).map((one, at) => one[percentile] / (without[at]?.[percentile] ?? NaN));
    console.log(
      `${percentile.slice(0, 3)} with / without: median ${median(ratios).toFixed(2)}, spread ${
        spread(ratios, 2)
      }; ` +
        `without / without: median ${median(noise).toFixed(2)}, spread ${spread(noise, 2)}`,
    );
  }
  const changes = withChange.flatMap((one) => one.changes);
  console.log(
    `${changes.length} changes, ms each until it was over: ${median(changes).toFixed(0)} (${
      spread(changes, 0)
    })`,
  );
}

async function main(fleet: Fleet): Promise<void> {
  const [n1, n2] = await fleet.form(3);
  if (n1 === undefined || n2 === undefined) throw new Error("three were asked for");
  await joins(fleet, "short");
  const n4 = await fleet.start("n4", ["--join", n1.url, "--role", "learner"]);
  await n4.ready();
  // Neither of those that take turns leads: what a hand-over costs is another question.
  await n1.fetch("/v1/cluster/leader", { method: "POST", body: JSON.stringify({ to: "n1" }) });
  await eventually(async () => (await fleet.view(n2)).leader === "n1", { what: "n1 leads" });
  const { term } = await fleet.view(n1);
  const loaded = [n1, n2];
  const capacity = await load(loaded, 0);
  const rate = capacity.perSecond * Number(flags.share);
  console.log(`closed loop, 64 connections: ${Math.round(capacity.perSecond)} writes/s`);
  const [withChange, without]: [Window[], Window[]] = [[], []];
  for (let pair = 0; pair < Number(flags.pairs); pair++) {
    // Which comes first changes from pair to pair.
    for (const change of pair % 2 === 0 ? [false, true] : [true, false]) {
      const one = await window(fleet, loaded, rate, change);
      (change ? withChange : without).push(one);
      console.error(
        `pair ${pair + 1} ${change ? `with ${one.changes.length} changes` : "without"}: ` +
          `${Math.round(one.perSecond)}/s, p50 ${one.p50us} µs, p99 ${one.p99us} µs`,
      );
      if (one.failures > 0) console.error(`  ${one.failures} failed: ${one.firstError}`);
    }
  }
  report(withChange, without, rate);
  const after = await fleet.view(n1);
  console.log(
    after.term === term
      ? "one leader all the time"
      : `the term went from ${term} to ${after.term}: leaders changed meanwhile`,
  );
  await joins(fleet, "long");
}

if (client !== null) {
  await measuredExecutable();
  console.log(`${cpus().length} × ${cpus()[0]?.model}`);
  await withFleet(main, (ids) => freePorts(ids.length).map((port) => ({ port, flags: asByDefault })));
}
