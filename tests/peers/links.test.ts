// Links over real sockets on 127.0.0.1: they come up, carry, fall and come back.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { afterEach, describe, test } from "bun:test";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import { eventually } from "../support/eventually.ts";
import { append, heartbeat } from "./messages.ts";
import { startNode, type TestNode, type TestNodeOptions } from "./node.ts";
import { type Proxy, startProxy } from "./proxy.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function node(replica: string, options?: TestNodeOptions): TestNode {
  const started = startNode(replica, options);
  cleanUps.push(() => started.stop());
  return started;
}

async function proxyTo(port: number): Promise<Proxy> {
  const proxy = await startProxy(port);
  cleanUps.push(() => proxy.close());
  return proxy;
}

const soon = (what: string, fn: () => unknown) => eventually(fn, { deadlineMs: 5_000, what });
const bothUp = (a: TestNode, b: TestNode) =>
  soon(`${a.replica} and ${b.replica} are linked`, () => a.isUp(b.replica) && b.isUp(a.replica));
const rounds = (node: TestNode) =>
  node.received.flatMap(({ message }) => message.type === "AppendEntries" ? [message.round] : []);

async function heartbeatsPass(a: TestNode, b: TestNode, round: number): Promise<void> {
  for (const [sender, receiver] of [[a, b], [b, a]] as const) {
    await soon(`a heartbeat from ${sender.replica} arrives`, () => {
      if (rounds(receiver).includes(round)) return true;
      sender.links.send(receiver.replica, heartbeat(round, sender.replica, receiver.replica), "control");
      return false;
    });
  }
}

describe("links", () => {
  test("one dials, both send, in order, on both channels", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    assertEquals(a.links.send("n2~b", heartbeat(1), "control"), false);
    a.links.dial(b.url);
    await bothUp(a, b);
    assertEquals(a.links.connected()[0]?.url, b.url);
    assertEquals(b.links.connected()[0]?.replica, "n1~a");
    assert((a.links.connected()[0]?.lastContactMs ?? 1e9) < 5_000);
    for (const [from, to] of [[a, b], [b, a]] as const) {
      const sent = Array.from({ length: 200 }, (_, at) => append(at + 1, 1_000, from.replica, to.replica));
      for (const message of sent) assert(from.links.send(to.replica, message, "bulk"));
      assert(from.links.send(to.replica, heartbeat(9, from.replica, to.replica), "control"));
      await soon("all arrive", () => to.received.length === 201);
      const got = to.received.filter(({ message }) =>
        message.type === "AppendEntries" && message.round === 0
      );
      assertEquals(got.map(({ message }) => message), sent);
      assert(to.received.every((one) => one.from === from.replica));
    }
  });

  test("large messages are split over frames and arrive whole", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    a.links.dial(b.url);
    await bothUp(a, b);
    const sent = Array.from({ length: 12 }, (_, at) => append(at + 1, 1_200_000, "n1~a", "n2~b"));
    // Until the bulk link is there, the control link takes what fits into its smaller bound.
    for (const message of sent) await soon("there is room", () => a.links.send("n2~b", message, "bulk"));
    await soon("all arrive", () => b.received.length === 12);
    const indexOf = (message: PeerMessage) => message.type === "AppendEntries" ? message.prevLogIndex : -1;
    const got = b.received.map(({ message }) => message).sort((x, y) => indexOf(x) - indexOf(y));
    assertEquals(got, sent);
  });

  test("both dial: one pair of sockets stays, nothing goes down, none is lost", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    a.links.dial(b.url);
    b.links.dial(a.url);
    await bothUp(a, b);
    let sent = 0;
    const until = performance.now() + 400;
    while (performance.now() < until) {
      sent += 1;
      assert(a.links.send("n2~b", heartbeat(sent, "n1~a", "n2~b"), "control"));
      assert(b.links.send("n1~a", heartbeat(sent, "n2~b", "n1~a"), "bulk"));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await soon("all arrive", () => rounds(a).length === sent && rounds(b).length === sent);
    await soon("what the smaller id dialled stays", () => a.accepted() === 0 && b.accepted() === 2);
    assertEquals([a.events, b.events], [["up n2~b"], ["up n1~a"]]);
  });

  test("a lost link is told and comes back, whichever side the break was on", async () => {
    const [a, b] = [node("n1~a"), node("n2~b", { identity: { url: "" } })];
    const proxy = await proxyTo(b.port);
    a.links.dial(proxy.url);
    await bothUp(a, b);
    proxy.cut("control");
    await soon("both notice", () => a.events.includes("down n2~b") && b.events.includes("down n1~a"));
    await bothUp(a, b);
    await heartbeatsPass(a, b, 5);
  });

  test("a lost bulk link makes what was under way unknown, and heartbeats go on", async () => {
    const [a, b] = [node("n1~a", { identity: { url: "" } }), node("n2~b", { identity: { url: "" } })];
    const proxy = await proxyTo(b.port);
    a.links.dial(proxy.url);
    await soon("both sockets are there", () => proxy.made("bulk") === 1 && proxy.made("control") === 1);
    await soon("bulk is in use", () => {
      a.links.send("n2~b", append(1, 10), "bulk");
      return b.received.length > 3;
    });
    proxy.cut("bulk");
    await soon("a is told", () => a.events.join() === "up n2~b,down n2~b,up n2~b");
    await heartbeatsPass(a, b, 6);
    await soon("bulk is dialled again", () => proxy.made("bulk") === 2);
    assertEquals(proxy.made("control"), 1);
  });

  test("a node that restarts on its port is found again, a new process of the same replica", async () => {
    const a = node("n1~a");
    const b = startNode("n2~b", { identity: { url: "" } });
    a.links.dial(b.url);
    await bothUp(a, b);
    await b.stop();
    await soon("a notices", () => !a.isUp("n2~b"));
    const again = node("n2~b", { port: b.port });
    await bothUp(a, again);
    await heartbeatsPass(a, again, 3);
  });

  test("an address learnt from a peer is dialled when the known one is gone", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    const proxy = await proxyTo(b.port);
    a.links.dial(proxy.url);
    await bothUp(a, b);
    proxy.close();
    await soon(
      "it comes back by the advertised address",
      () => a.events.join() === "up n2~b,down n2~b,up n2~b",
    );
    await heartbeatsPass(a, b, 4);
  });

  test("a node that dials itself leaves it", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    const proxy = await proxyTo(a.port);
    a.links.dial(proxy.url);
    a.links.dial(b.url);
    await bothUp(a, b);
    await soon("it reached itself", () => proxy.made("control") >= 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assertEquals(proxy.made("control"), 1);
    assertEquals(a.events, ["up n2~b"]);
  });

  test("two addresses of one peer make one link", async () => {
    const [a, b] = [node("n1~a"), node("n2~b")];
    const proxy = await proxyTo(b.port);
    a.links.dial(b.url);
    a.links.dial(proxy.url);
    a.links.dial(b.url);
    await bothUp(a, b);
    await heartbeatsPass(a, b, 2);
    assertEquals(a.links.connected().length, 1);
    assertEquals([a.events, b.events], [["up n2~b"], ["up n1~a"]]);
  });

  test("a slow reader: entries are dropped and forwards refused, a heartbeat gets through", async () => {
    const limits = { bulkBytes: 2 ** 20, silenceMs: 60_000 };
    const a = node("n1~a", { limits, identity: { url: "" } });
    const b = node("n2~b", { limits, identity: { url: "" } });
    const proxy = await proxyTo(b.port);
    a.links.dial(proxy.url);
    await bothUp(a, b);
    await soon("bulk is in use", () => {
      a.links.send("n2~b", append(1, 10), "bulk");
      return proxy.made("bulk") === 1 && b.received.length > 3;
    });
    proxy.stall("bulk");
    // The kernel and the proxy take some megabytes first.
    let dropped = false;
    for (let index = 1; index < 400 && !dropped; index++) {
      dropped = !a.links.send("n2~b", append(index, 100_000), "bulk");
      a.links.flush();
    }
    assert(dropped, "forty megabytes waited");
    const forward = {
      type: "Forward",
      requestId: 1,
      command: new Uint8Array(100_000),
      timeoutMs: 1,
    } as const;
    assertEquals(a.links.send("n2~b", forward, "bulk"), false);
    assert(a.links.send("n2~b", heartbeat(1), "bulk"), "a heartbeat is never dropped");
    await heartbeatsPass(a, b, 8);
    proxy.resume("bulk");
    await soon("there is room again", () => a.links.send("n2~b", forward, "bulk"));
    await soon("it arrives", () => b.received.some(({ message }) => message.type === "Forward"));
    assertEquals([a.events, b.events], [["up n2~b"], ["up n1~a"]]);
  });

  test("silence ends a link that TCP still believes in", async () => {
    const limits = { silenceMs: 300 };
    const [a, b] = [node("n1~a", { limits }), node("n2~b", { limits, identity: { url: "" } })];
    const proxy = await proxyTo(b.port);
    a.links.dial(proxy.url);
    await bothUp(a, b);
    proxy.stall("control");
    await soon("both notice", () => a.events.includes("down n2~b") && b.events.includes("down n1~a"));
    assertStringIncludes(a.log.join("\n"), "nothing was heard for 300 ms");
  });

  test("an idle link stays", async () => {
    const limits = { silenceMs: 200 };
    const [a, b] = [node("n1~a", { limits }), node("n2~b", { limits })];
    a.links.dial(b.url);
    await bothUp(a, b);
    await new Promise((resolve) => setTimeout(resolve, 800));
    assertEquals([a.events, b.events], [["up n2~b"], ["up n1~a"]]);
  });

  test("close() lets the server stop at once, and the others notice", async () => {
    const [a, b] = [node("n1~a"), startNode("n2~b")];
    a.links.dial(b.url);
    await bothUp(a, b);
    await b.stop();
    await soon("a notices", () => a.events.includes("down n2~b"));
    assertEquals(b.links.connected(), []);
    assertEquals(b.links.send("n1~a", heartbeat(1), "control"), false);
  });
});
