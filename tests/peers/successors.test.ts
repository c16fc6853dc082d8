// Two processes that show the same replica: the newer one is let in when the older one is gone, and not while it lives.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { afterEach, describe, test } from "bun:test";
import { Boots } from "../../lib/replica/boots.ts";
import { Successors } from "../../lib/peers/successors.ts";
import { eventually } from "../support/eventually.ts";
import { startNode, type TestNode, type TestNodeOptions } from "./node.ts";
import { startProxy } from "./proxy.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function node(replica: string, bootCount: number, options: TestNodeOptions = {}): TestNode {
  const boots = new Boots({});
  const admit: TestNodeOptions["admit"] = (peer) => {
    const reason = boots.admit(peer);
    return reason === null ? { ok: true } : { ok: false, reason };
  };
  const started = startNode(replica, {
    admit,
    ...options,
    identity: { bootCount, ...options.identity },
    limits: { probeMs: 300, silenceMs: 1_000, ...options.limits },
  });
  cleanUps.push(() => started.stop());
  return started;
}

const soon = (what: string, fn: () => unknown) => eventually(fn, { deadlineMs: 5_000, what });

async function linked(a: TestNode, b: TestNode): Promise<void> {
  a.links.dial(b.url);
  await soon(`${a.replica} and ${b.replica} are linked`, () => a.isUp(b.replica) && b.isUp(a.replica));
}

describe("two processes of one replica", () => {
  test("a copy of a running node's folder is refused, also after that node's link broke", async () => {
    const [member, original] = [node("n1~a", 1), node("n2~b", 1)];
    const proxy = await startProxy(original.port);
    cleanUps.push(() => proxy.close());
    await linked(member, { ...original, url: proxy.url });
    const copy = node("n2~b", 2);
    copy.links.dial(member.url);
    await soon(
      "the copy is told",
      () => copy.log.some((line) => line.includes("its data folder was copied")),
    );
    assertStringIncludes(
      copy.log.join("\n"),
      `n2 runs at ${original.url} (start 1), and another process shows start 2: its data folder was copied`,
    );
    // Without a link the older one is asked where it said to be.
    proxy.close();
    await soon("they are linked again", () => member.events.join() === "up n2~b,down n2~b,up n2~b");
    assertEquals(member.links.connected().map(({ bootCount }) => bootCount), [1]);
    assertEquals(copy.events, []);
    assert(original.isUp("n1~a"));
  });

  test("once the older one has ended, the newer one is let in at once, wherever it listens", async () => {
    const [member, original] = [node("n1~a", 1), node("n2~b", 1)];
    await linked(member, original);
    const copy = node("n2~b", 2);
    copy.links.dial(member.url);
    await soon("the copy is told", () => copy.log.some((line) => line.includes("was copied")));
    await original.stop();
    await soon("the newer one is in", () => copy.isUp("n1~a"));
    assertEquals(member.links.connected().map(({ bootCount }) => bootCount), [2]);
  });

  test("an older one that is silent, as a paused one is, loses its place and is refused when it wakes", async () => {
    const member = node("n1~a", 1);
    const original = node("n2~b", 1, { limits: { silenceMs: 60_000 } });
    const proxy = await startProxy(original.port);
    cleanUps.push(() => proxy.close());
    await linked(member, { ...original, url: proxy.url });
    proxy.stall("control");
    proxy.stall("bulk");
    original.pause();
    const newer = node("n2~b", 2);
    newer.links.dial(member.url);
    await soon("the newer one is in", () => newer.isUp("n1~a"));
    original.resume();
    original.links.dial(member.url);
    await soon("the older one is told", () => original.log.some((line) => line.includes("was seen already")));
    assert(member.isUp("n2~b") && newer.isUp("n1~a"));
  });

  test("a node that starts again asks a process that it only remembers", async () => {
    const original = node("n2~b", 1);
    const { nonce } = await nonceOf(original);
    const member = node("n1~a", 2, { remembered: () => ({ bootCount: 1, nonce, url: original.url }) });
    const copy = node("n2~b", 2);
    copy.links.dial(member.url);
    await soon("the copy is told", () => copy.log.some((line) => line.includes("was copied")));
    await linked(member, original);
    assertEquals(copy.events, []);
  });
});

test("a next start waits until its last process is silent; beside a living one it is a copy; a pause proves nothing", () => {
  let now = 1000;
  const contact = { clusterId: null, earlier: [], url: "", version: "" };
  const judged = (heardAt: (at: number) => number, ...times: number[]) => {
    const successors = new Successors({
      ...{ clock: { monotonic: () => now, wall: () => now }, linkMs: 2000, remembered: () => null },
      ask: (_url, done) => done(null),
    });
    now = 1000;
    successors.linked({ ...contact, replica: "n2~b", bootCount: 1, nonce: "p1" });
    return times.map((at) => {
      now = at;
      const newcomer = { ...contact, replica: "n2~b", bootCount: 2, nonce: "p2" };
      return successors.objection(newcomer, heardAt(at))?.code ?? "welcome";
    });
  };
  assertEquals(judged(() => 1050, 1000, 1100, 2900, 3000), ["checking", "checking", "checking", "welcome"]);
  assertEquals(judged((at) => at - 100, 1000, 2500, 2600), ["checking", "stale_folder", "checking"]);
});

/** What a node shows of itself, as another one sees it. */
async function nonceOf(of: TestNode): Promise<{ nonce: string }> {
  const other = node("n9~z", 1);
  await linked(other, of);
  const [peer] = other.links.connected();
  assert(peer !== undefined);
  return peer;
}
