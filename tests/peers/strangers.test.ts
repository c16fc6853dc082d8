// What must not get in, or must get out: strangers, impostors, broken peers. Good links go on all the while.
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { afterEach, describe, test } from "bun:test";
import { connect } from "node:net";
import { peerAddress } from "../../lib/peers/addresses.ts";
import { encodeFrame } from "../../lib/peers/codec.ts";
import { Notices } from "../../lib/peers/notices.ts";
import { refuseUpgrade } from "../../lib/peers/upgrade.ts";
import type { PeerIdentity } from "../../lib/replica/ports.ts";
import { eventually } from "../support/eventually.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { append, heartbeat } from "./messages.ts";
import { startNode, type TestNode, type TestNodeOptions } from "./node.ts";
import { rawPeer, rawSocket } from "./raw-peer.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function node(replica: string, options?: TestNodeOptions): TestNode {
  const started = startNode(replica, options);
  cleanUps.push(() => started.stop());
  return started;
}

const soon = (what: string, fn: () => unknown) => eventually(fn, { deadlineMs: 5_000, what });

/** Two nodes with good links, and a look whether these are still the first ones. */
async function goodPair(options?: TestNodeOptions) {
  const [a, b] = [node("n1~a", options), node("n2~b", options)];
  a.links.dial(b.url);
  await soon("the pair is linked", () => a.isUp("n2~b") && b.isUp("n1~a"));
  let round = 0;
  const stillGood = async () => {
    round += 1;
    assert(b.links.send("n1~a", heartbeat(round, "n2~b", "n1~a"), "control"));
    await soon(
      "a heartbeat arrives",
      () => a.received.some(({ message }) => message.type === "AppendEntries" && message.round === round),
    );
    assertEquals(b.events.filter((event) => event.endsWith("n1~a")), ["up n1~a"]);
    assertEquals(a.events.filter((event) => event.endsWith("n2~b")), ["up n2~b"]);
  };
  return { a, b, stillGood };
}

const stranger: PeerIdentity = {
  ...{ replica: "n9~z", clusterId: null, bootCount: 1, nonce: "p9", earlier: [], url: "", version: "0.1.0" },
};

describe("strangers", () => {
  test("another secret, no secret: no link, and a line that says so", async () => {
    const { a, stillGood } = await goodPair();
    const wrong = node("n3~c", { secret: "guess" });
    const none = node("n4~d", { secret: null });
    wrong.links.dial(a.url);
    none.links.dial(a.url);
    await soon("both are noticed", () => {
      const log = a.log.join("\n");
      return log.includes("wrong_secret") && log.includes("no_secret");
    });
    await soon(
      "and they see it, too",
      () =>
        wrong.log.join().includes("another cluster secret than this node") &&
        none.log.join().includes("--secret"),
    );
    assertEquals([wrong.events, none.events], [[], []]);
    await stillGood();
  });

  test("another cluster is refused by name", async () => {
    const a = node("n1~a", { identity: { clusterId: "red" } });
    const b = node("n2~b", { identity: { clusterId: "blue" } });
    a.links.dial(b.url);
    await soon("a is told", () => a.log.join().includes("belongs to cluster"));
    await soon("b noticed", () => b.log.join().includes("other_cluster"));
    assertEquals([a.events, b.events], [[], []]);
  });

  test("whom admit refuses stays out, whoever dials", async () => {
    const admit = (peer: PeerIdentity) =>
      peer.bootCount < 5
        ? { ok: false, reason: "its disk is older than it was" } as const
        : { ok: true } as const;
    const a = node("n1~a", { admit });
    const b = node("n2~b");
    b.links.dial(a.url);
    await soon("b is told why", () => b.log.join().includes("its disk is older than it was"));
    a.links.dial(b.url);
    await soon("a says why", () => a.log.join().includes("its disk is older than it was"));
    assertEquals([a.events, b.events], [[], []]);
  });

  test("junk, texts, long and oversized frames before the handshake: closed, nothing said", async () => {
    const { a, stillGood } = await goodPair({ limits: { maxFrameBytes: 2 ** 20 } });
    const random = seededRandom(printedSeed("strangers' junk"));
    for (const size of [0, 1, 5, 300, 9_000, 2 ** 20 + 1]) {
      const socket = await rawSocket(a.url);
      socket.send(Uint8Array.from({ length: size }, () => Math.floor(random() * 256)));
      assert(await socket.closed >= 1000);
      assertEquals(socket.said, []);
    }
    const socket = await rawSocket(a.url);
    socket.send("hello?");
    await socket.closed;
    await stillGood();
  });

  test("HTTP garbage and half requests", async () => {
    const { a, stillGood } = await goodPair();
    const texts = [
      "\u0016\u0003\u0001\u0002\u0000",
      "GET /v1/peer?channel=bulk HTTP/1.1\r\nHost: x\r\nUpg",
      "\r\n".repeat(50),
    ];
    texts.push(
      "GET /v1/peer?channel=control HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    );
    for (const text of texts) {
      const socket = connect(a.port, "127.0.0.1");
      socket.on("error", () => {});
      await new Promise<void>((resolve) => socket.write(text, () => resolve()));
      cleanUps.push(() => socket.destroy());
    }
    assertEquals((await fetch(`${a.url}/v1/peer`)).status, 426);
    await stillGood();
  });

  test("a silent stranger is sent away, and too many at once are not let in", async () => {
    const { a, stillGood } = await goodPair({ limits: { maxHandshakes: 3, handshakeMs: 400 } });
    const silent = await Promise.all([1, 2, 3].map(() => rawSocket(a.url)));
    await assertRejects(() => rawSocket(a.url), Error, "refused");
    await Promise.all(silent.map((socket) => socket.closed));
    const { socket } = await rawPeer(a.url, stranger, "s3cret");
    cleanUps.push(() => socket.close());
    await soon("there is room again", () => a.isUp("n9~z"));
    await stillGood();
  });

  test("a replayed handshake is refused", async () => {
    const { a, stillGood } = await goodPair();
    const { socket, sent } = await rawPeer(a.url, stranger, "s3cret");
    await soon("the first time is good", () => a.isUp("n9~z"));
    socket.close();
    await soon("it left", () => !a.isUp("n9~z"));
    const replay = await rawSocket(a.url);
    for (const message of sent) replay.send(message);
    await replay.closed;
    assertEquals(replay.said.length, 1);
    assertStringIncludes(a.log.join(), "wrong_secret");
    assertEquals(a.events.filter((event) => event === "up n9~z").length, 1);
    await stillGood();
  });
});

/** A frame with an entry that says it is a configuration. */
function configurationOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const message = append(1, 1);
  assert(message.type === "AppendEntries");
  const entries = message.entries.map((entry) => ({ ...entry, type: "configuration" as const, data }));
  return encodeFrame([{ ...message, entries }]);
}

describe("broken peers", () => {
  test("a malformed or oversized frame ends that link, with a line in the log", async () => {
    const { a, stillGood } = await goodPair({ limits: { maxFrameBytes: 2 ** 20 } });
    const frames = [
      Uint8Array.of(9),
      Uint8Array.of(1, 99),
      new Uint8Array(0),
      configurationOf(Uint8Array.of(1, 2, 3)),
      new Uint8Array(2 ** 20 + 1),
      "text",
    ];
    for (const [at, frame] of frames.entries()) {
      const { socket } = await rawPeer(a.url, { ...stranger, nonce: `p${at}` }, "s3cret");
      await soon("it is up", () => a.isUp("n9~z"));
      socket.send(frame);
      await socket.closed;
      await soon("it is down", () => !a.isUp("n9~z"));
    }
    // What follows within ten seconds is counted and not said.
    assertStringIncludes(a.log.join("\n"), "control link to n9~z: it sent what is no frame of ours");
    assertEquals(a.received.filter((received) => received.from === "n9~z"), []);
    await stillGood();
  });

  test("a bulk link comes after a control link", async () => {
    const { a, stillGood } = await goodPair();
    await assertRejects(() => rawPeer(a.url, stranger, "s3cret", "bulk"), Error, "no_control");
    await stillGood();
  });

  test("a newer process of a replica takes the older one's place", async () => {
    const { a, stillGood } = await goodPair();
    const old = await rawPeer(a.url, stranger, "s3cret");
    await soon("the old one is up", () => a.isUp("n9~z"));
    const restarted = { ...stranger, nonce: "p10", bootCount: 2, earlier: ["p9"] };
    // The old one has a moment to show that it lives.
    await assertRejects(() => rawPeer(a.url, restarted, "s3cret"), Error, "checking");
    const next = await eventually(() => rawPeer(a.url, restarted, "s3cret"), { what: "it is let in" });
    cleanUps.push(() => next.socket.close());
    await old.socket.closed;
    await soon("both are told", () => a.events.slice(1).join() === "up n9~z,down n9~z,up n9~z");
    assertEquals(a.links.connected().find(({ replica }) => replica === "n9~z")?.bootCount, 2);
    await stillGood();
  });
});

describe("loopback and the rest", () => {
  test("which URLs are loopback, and which are none", () => {
    const urls = ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://localhost"];
    const others = ["http://10.0.0.1:1", "http://localhost.example", "http://0.0.0.0:1"];
    assertEquals([...urls, ...others].filter((url) => peerAddress(url)?.loopback), urls);
    assertEquals([peerAddress("n1:8080"), peerAddress("ftp://a"), peerAddress("")], [null, null, null]);
    assertEquals(peerAddress("http://A:80/x?y#z")?.url, "http://a");
  });

  test("without a secret nothing beyond loopback is accepted or dialled, whatever a header says", () => {
    const headers = { upgrade: "websocket", "x-forwarded-for": "127.0.0.1" };
    const request = new Request("http://10.0.0.1/v1/peer?channel=bulk", { headers });
    const refusal = (address: string, hasSecret: boolean) =>
      refuseUpgrade(request, address, { busy: false, hasSecret })?.response().status ?? null;
    assertEquals([refusal("10.0.0.2", false), refusal("127.0.0.1", false)], [403, null]);
    assertEquals([refusal("10.0.0.2", true), refusal("unknown", false)], [null, 403]);
    const a = node("n1~a", { secret: null });
    a.links.dial("http://10.255.255.1:9");
    a.links.dial("http://10.255.255.1:9");
    assertStringIncludes(a.log.join(), "beyond loopback");
    assertEquals(a.log.length, 1);
  });

  test("a web page cannot open a link", () => {
    const headers = { upgrade: "websocket", origin: "https://example.com" };
    const request = new Request("http://127.0.0.1/v1/peer?channel=control", { headers });
    assertEquals(
      refuseUpgrade(request, "127.0.0.1", { busy: false, hasSecret: false })?.response().status,
      403,
    );
  });

  test("the same complaint about the same address is made once in ten seconds", () => {
    let now = 0;
    const lines: string[] = [];
    const log = (_level: string, message: string, fields?: Readonly<Record<string, unknown>>) =>
      lines.push(`${message} ${fields?.["leftOut"] ?? 0}`);
    const notices = new Notices((...line) => void log(...line), { monotonic: () => now, wall: () => 0 });
    for (; now < 10_000; now += 1_000) notices.say("warning", "10.0.0.1", "malformed", "junk");
    notices.say("warning", "10.0.0.2", "malformed", "other junk");
    notices.say("warning", "10.0.0.1", "malformed", "junk");
    assertEquals(lines, ["junk 0", "other junk 0", "junk 9"]);
  });
});
