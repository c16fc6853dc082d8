// When which address is dialled and for how long it is kept, under virtual time: sockets are of no account here.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { peerAddress } from "../../lib/peers/addresses.ts";
import { connectEnding } from "../../lib/peers/connecting.ts";
import { Dialer } from "../../lib/peers/dialer.ts";
import type { Link, LinkEnding } from "../../lib/peers/link.ts";
import { defaultLimits } from "../../lib/peers/options.ts";
import type { PeerIdentity } from "../../lib/replica/ports.ts";
import { Timeline } from "../../lib/simulation/time.ts";

const minute = 60_000;

/** Dials of each URL that came to nothing at once, unless a test says how else they end. */
class Desk {
  readonly timeline = new Timeline();
  readonly dials: string[] = [];
  readonly linked = new Set<string>();
  ending: Partial<LinkEnding> = { code: "unreachable", sentence: "connection refused", level: "debug" };
  /** False: what is dialled stays connecting. */
  fails = true;
  readonly open: Link[] = [];
  readonly dialer: Dialer;

  constructor() {
    const { timeline } = this;
    const scheduler = {
      after: (ms: number, task: () => void) => timeline.after(ms, task),
      defer: (task: () => void) => void timeline.after(0, task),
    };
    this.dialer = new Dialer({
      ...{ limits: defaultLimits, clock: { monotonic: () => timeline.now, wall: () => 0 }, scheduler },
      random: () => 0.5,
      isLinked: (replica) => this.linked.has(replica),
      connect: (address, channel) => {
        const link = { channel, dialled: true, openedAt: timeline.now, address: address.url } as Link;
        if (channel === "control") this.dials.push(address.url);
        if (this.fails) scheduler.after(1, () => this.end(link));
        else this.open.push(link);
        return link;
      },
    });
  }

  end(link: Link): void {
    this.dialer.closed(link, {
      peer: null,
      wasOpen: false,
      code: "",
      sentence: "",
      level: "debug",
      ...this.ending,
    });
  }

  add(url: string, replica?: string | null): void {
    const address = peerAddress(url);
    assert(address !== null);
    this.dialer.add(address, replica);
  }

  run(ms: number): void {
    const end = this.timeline.now + ms;
    while (this.timeline.next() <= end) this.timeline.step();
    this.timeline.at(end, () => {});
    this.timeline.step();
  }

  /** Which of these URLs it still dials. */
  stillDialled(urls: readonly string[]): string[] {
    this.dials.length = 0;
    this.run(10_000);
    return urls.filter((url) => this.dials.includes(url));
  }
}

const urls = ["http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"] as const;

describe("how long an address is kept", () => {
  test("told for good: for ever; said of a member or only mentioned: ten minutes of nothing", () => {
    const desk = new Desk();
    desk.add(urls[0]);
    desk.add(urls[1], "n2~a");
    desk.add(urls[2], null);
    desk.run(9 * minute);
    assertEquals(desk.stillDialled(urls), [...urls]);
    desk.run(2 * minute);
    assertEquals(desk.stillDialled(urls), [urls[0]]);
    // Mentioning one that was told for good does not make it less.
    desk.add(urls[0], null);
    desk.run(20 * minute);
    assertEquals(desk.stillDialled(urls), [urls[0]]);
  });

  test("at which a peer was until now, however long: from now on", () => {
    const desk = new Desk();
    desk.fails = false;
    desk.add(urls[2], null);
    desk.run(1000);
    const [link] = desk.open;
    assert(link !== undefined);
    const peer = { replica: "n3~a" } as PeerIdentity;
    desk.linked.add("n3~a");
    desk.dialer.opened(link, peer);
    desk.run(60 * minute);
    desk.fails = true;
    desk.linked.clear();
    desk.dialer.closed(link, { code: "lost", sentence: "", level: "info", peer, wasOpen: true });
    desk.dialer.lost("n3~a");
    assertEquals(desk.stillDialled(urls), [urls[2]]);
    desk.run(11 * minute);
    assertEquals(desk.stillDialled(urls), []);
  });

  test("any number is mentioned: bounded, and members that gossip knows find room", () => {
    const desk = new Desk();
    const mentioned = Array.from({ length: 500 }, (_, at) => `http://127.0.0.1:${1000 + at}`);
    for (const url of mentioned) {
      desk.add(url, null);
      desk.run(2);
    }
    desk.add(urls[1], "n2~a");
    const dialled = desk.stillDialled([...mentioned, urls[1]]);
    assertEquals([dialled.length, dialled.includes(urls[1])], [128, true]);
  });
});

describe("why nothing came of it", () => {
  test("is told until a link opens; that a peer is linked already is no trouble", () => {
    const desk = new Desk();
    desk.add(urls[0]);
    desk.add(urls[2], null);
    desk.run(100);
    const refused = { why: "connection refused" };
    assertEquals(desk.dialer.troubles(), [
      { url: urls[0], ...refused, forGood: true },
      { url: urls[2], ...refused, forGood: false },
    ]);
    desk.ending = { code: "already_linked", sentence: "there is such a link already" };
    desk.run(5000);
    assertEquals(desk.dialer.troubles(), []);
    desk.ending = { code: "other_cluster", sentence: "n1~a belongs to cluster c1, n4~b to c2" };
    desk.run(5000);
    assertEquals(
      desk.dialer.troubles()[0]?.why,
      "belongs to another cluster (n1~a belongs to cluster c1, n4~b to c2)",
    );
    desk.ending = { code: "self", sentence: "a node reached itself" };
    desk.run(5000);
    assertEquals(desk.dialer.troubles().map(({ why }) => why), [
      "is this node itself",
      "is this node itself",
    ]);
  });

  test("in words, out of what the runtime says", () => {
    const said = (how: string) => connectEnding(`WebSocket connection to 'ws://a/b' failed: ${how}`).sentence;
    assertEquals(said("Failed to connect"), "connection refused, or no such host");
    assertEquals(said("Expected 101 status code: 404"), "is not Coracle (it answers HTTP 404)");
    assertEquals(said("Expected 101 status code: 503"), "not ready for a link (HTTP 503)");
    assertEquals(said("Invalid response"), "is not Coracle (it does not speak HTTP)");
    assertEquals(said("TLS handshake failed: x"), "no TLS there: is it an http:// URL?");
    assertEquals(connectEnding("code 1006").sentence, "cannot connect: code 1006");
  });
});
