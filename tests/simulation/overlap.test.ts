// Faults overlap: each ends by itself, whatever else holds the same thing; and when the world has healed nothing lasts on.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { type Fault, kvWorkload, type RunOptions, runWorld } from "../../lib/simulation/mod.ts";
import type { Links, PeerIdentity } from "../../lib/replica/ports.ts";
import { lag } from "../../lib/simulation/cut.ts";
import { Holds } from "../../lib/simulation/holds.ts";
import { Network } from "../../lib/simulation/network.ts";
import { SimulatedProcess } from "../../lib/simulation/process.ts";
import { seededRandom } from "../../lib/simulation/random.ts";
import { NodeClock, Timeline } from "../../lib/simulation/time.ts";
import { Trace } from "../../lib/simulation/trace.ts";
import { calm, stormy } from "../../lib/simulation/weather.ts";

setDefaultTimeout(120_000);

async function traceOf(options: RunOptions): Promise<string[]> {
  const lines: string[] = [];
  const { violation } = await runWorld(kvWorkload(), { ...options, trace: (line) => lines.push(line) });
  assertEquals(violation, null);
  return lines;
}

/** When a line with this text was written, ms. */
function timesOf(lines: readonly string[], text: string): number[] {
  return lines.filter((line) => line.slice(12) === text).map((line) => Number(line.slice(0, 11)));
}

describe("what is held", () => {
  test("lasts until the last hold of it ends, in any order, and each ends once", () => {
    const seen: string[] = [];
    const holds = new Holds<string>((values) => seen.push(values.join("+")));
    const [a, b] = [holds.hold("a"), holds.hold("b")];
    a();
    a();
    b();
    const c = holds.hold("c");
    holds.clear();
    const d = holds.hold("d");
    c();
    assert(holds.any);
    d();
    assertEquals(seen, ["a", "a+b", "b", "", "c", "", "d", ""]);
  });

  test("a clock's rate and its standing still", () => {
    const timeline = new Timeline();
    const clock = new NodeClock(timeline, 1, 0, 0);
    const pass = (ms: number): number => {
      const before = clock.monotonic();
      timeline.after(ms, () => {});
      timeline.step();
      return Math.round(clock.monotonic() - before);
    };
    const fast = clock.drift(2);
    const slow = clock.drift(0.5);
    assertEquals(pass(100), 50);
    fast();
    assertEquals(pass(100), 50);
    slow();
    assertEquals(pass(100), 100);
    const [one, other] = [clock.freeze(), clock.freeze()];
    one();
    assertEquals([pass(100), clock.frozen], [0, true]);
    other();
    assertEquals([pass(100), clock.frozen], [100, false]);
  });

  test("a process that stands still, and how long it did", () => {
    const timeline = new Timeline();
    const process = new SimulatedProcess("n1", timeline, new NodeClock(timeline, 1, 0, 0), () => {});
    let ran = 0;
    const [one, other] = [process.pause(), process.pause()];
    process.turn(() => ran++);
    timeline.after(100, () => one(false));
    timeline.after(200, () => other(false));
    timeline.step();
    assertEquals([ran, process.paused], [0, true]);
    while (timeline.step());
    assertEquals([ran, process.paused, process.stillMs], [1, false, 200]);
  });

  test("a process that asks for turn after turn is told of; one that does what comes is not", () => {
    const timeline = new Timeline();
    const process = new SimulatedProcess("n1", timeline, new NodeClock(timeline, 1, 0, 0), () => {});
    let told = 0;
    process.onBusy = () => told++;
    const around = (left: number) => {
      if (left > 0) process.scheduler.defer(() => around(left - 1));
    };
    for (let event = 0; event < 100; event++) timeline.after(event, () => process.turn(() => around(40)));
    process.scheduler.after(5, () => around(40));
    while (timeline.step());
    assertEquals(told, 0);
    process.turn(() => around(60));
    const resume = process.pause();
    resume(true);
    while (timeline.step());
    assertEquals(told, 10);
  });

  test("a link that lags, one way, as much as the worst that lasts", () => {
    const timeline = new Timeline();
    const network = new Network(timeline, seededRandom(1), new Trace(timeline, null), () => {});
    let arrivedAt = 0;
    const [a, b] = (["a", "b"] as const).map((name) => {
      const identity: PeerIdentity = {
        ...{ replica: `${name}~1`, clusterId: null, bootCount: 1, nonce: "", earlier: [], version: "" },
        url: network.addressOf(name),
      };
      const links = network.linksOf({
        ...{ name, identity: () => identity, admit: () => true, turn: (task) => task() },
      });
      links.listen({ up: () => {}, down: () => {}, message: () => arrivedAt = timeline.now });
      return links;
    });
    assert(a !== undefined && b !== undefined);
    a.dial(network.addressOf("b"));
    while (timeline.step());
    const takes = (links: Links, to: string) => {
      const sentAt = timeline.now;
      assert(links.send(to, { type: "ReadIndex", requestId: 1 }, "control"));
      while (timeline.step());
      return Math.floor((arrivedAt - sentAt) / 100);
    };
    const both = () => [takes(a, "b~1"), takes(b, "a~1")];
    const [much, little] = [
      lag(network, ["a"], ["b"], "out", 500),
      lag(network, ["a"], ["b"], undefined, 200),
    ];
    assertEquals(both(), [5, 2]);
    much();
    assertEquals(both(), [2, 2]);
    little();
    assertEquals(both(), [0, 0]);
  });

  test("a storm within a storm", () => {
    const mild = { loss: 0.1, duplicate: 0.3, delayMs: 5 };
    const heavy = { loss: 0.4, duplicate: 0, delayMs: 2 };
    assertEquals(stormy(calm, []), calm);
    const both = { ...calm, loss: 0.4, duplicate: 0.3, meanDelayMs: 5, ordered: false };
    assertEquals(stormy(calm, [mild, heavy]), both);
  });
});

describe("in a run", () => {
  test("a node stays down until the last fault that took it down is over", async () => {
    const faults: Fault[] = [
      { at: 3000, forMs: 1500, type: "diskError", node: "n1" },
      { at: 3001, forMs: 4000, type: "crash", node: "n1" },
    ];
    const lines = await traceOf({ seed: 1, nodes: 3, durationMs: 9000, faults });
    assertEquals(timesOf(lines, "n1 starts").filter((at) => at > 3000), [7001]);
  });

  test("who stays away when the world heals stays away", async () => {
    let away = 0;
    const seeds = [115, ...Array.from({ length: 40 }, (_, at) => at + 1)];
    for (const seed of seeds) {
      const lines = await traceOf({ seed, durationMs: 15_000, founders: null });
      const at = lines.findIndex((line) => line.includes("the world heals around"));
      const core = (lines[at] ?? "").split("around ")[1]?.split(", ") ?? [];
      const started = lines.slice(at).flatMap((line) => / (n\d) starts$/.exec(line)?.[1] ?? []);
      assertEquals(started.filter((name) => !core.includes(name)), [], `seed ${seed}`);
      away += 5 - core.length;
    }
    assert(away > 10);
  });

  test("a blackout that is not over when the world heals starts nobody else", async () => {
    const faults: Fault[] = [{ at: 5999, forMs: 5000, type: "blackout" }];
    for (let seed = 1; seed <= 20; seed++) {
      const lines = await traceOf({ seed, nodes: 5, durationMs: 6000, faults });
      const at = lines.findIndex((line) => line.includes("the world heals around"));
      const core = (lines[at] ?? "").split("around ")[1]?.split(", ") ?? [];
      const started = lines.slice(at).flatMap((line) => / (n\d) starts$/.exec(line)?.[1] ?? []);
      assertEquals([...new Set(started)].sort(), [...core].sort(), `seed ${seed}`);
    }
  });
});
