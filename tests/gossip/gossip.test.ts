// Gossip: everybody comes to know everything, nothing old undoes anything, and a hundred nodes stay within bounds.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { decodeGossip, encodeGossip } from "../../lib/gossip/codec.ts";
import { type ConfigurationNews, Gossip, type MemberNews, type Outgoing } from "../../lib/gossip/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";

const about = { region: "", software: "1", role: "voter", hashIndex: 0, hash: "", unreachable: [] } as const;

function configuration(index: number, voters: readonly string[]): ConfigurationNews {
  return { index, voters, outgoing: [], learners: [] };
}

function member(replica: string, bootCount: number, counter: number, url: string): MemberNews {
  return { ...about, replica, bootCount, counter, url };
}

function newsOf(members: readonly MemberNews[], at: ConfigurationNews | null = null): Uint8Array {
  return encodeGossip({ type: "news", news: { members, configuration: at, leader: null } });
}

/** Nodes that hear each other a little late; links may be cut. */
class Village {
  readonly random = seededRandom(printedSeed("gossip"));
  readonly nodes = new Map<string, Gossip>();
  readonly isolated = new Set<string>();
  now = 0;
  messages = 0;
  bytes = 0;
  largest = 0;
  /** Everything ever sent, to be replayed. */
  readonly sent: { from: string; message: Outgoing }[] = [];
  #queue: { from: string; message: Outgoing }[] = [];

  add(name: string, bootCount = 1): Gossip {
    const gossip = new Gossip({ replica: name, bootCount, random: this.random });
    this.nodes.set(name, gossip);
    return gossip;
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (; this.now < end; this.now += 50) {
      const arriving = this.#queue;
      this.#queue = [];
      for (const { from, message } of arriving) this.#deliver(from, message);
      for (const [name, gossip] of this.nodes) {
        if (this.isolated.has(name)) continue;
        const peers = [...this.nodes.keys()].filter((other) => other !== name && !this.isolated.has(other));
        this.#send(name, gossip.poll(this.now, () => peers));
      }
    }
  }

  #deliver(from: string, message: Outgoing): void {
    if (this.isolated.has(message.to)) return;
    const gossip = this.nodes.get(message.to);
    if (gossip !== undefined) this.#send(message.to, gossip.receive(from, message.payload, this.now));
  }

  #send(from: string, outgoing: readonly Outgoing[]): void {
    for (const message of outgoing) {
      this.messages++;
      this.bytes += message.payload.byteLength;
      this.largest = Math.max(this.largest, message.payload.byteLength);
      this.sent.push({ from, message });
      this.#queue.push({ from, message });
    }
  }
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `n${at + 1}~aaaaaaaaaaaaaaaa`);
}

describe("gossip", () => {
  test("everybody learns where everybody is, which configuration is the newest, and who leads", () => {
    const village = new Village();
    const all = names(20);
    for (const name of all) {
      village.add(name).say({ ...about, url: `http://${name}` }, 0);
    }
    village.nodes.get(all[0] ?? "")?.configured(configuration(7, all));
    village.nodes.get(all[1] ?? "")?.led({ term: 3, leaderId: all[1] ?? "" });
    village.run(4000);
    for (const gossip of village.nodes.values()) {
      assertEquals(gossip.directory().length, 20);
      assertEquals(gossip.configuration?.index, 7);
      assertEquals(gossip.leader, { term: 3, leaderId: all[1] ?? "" });
    }
  });

  test("news of a hundred nodes: within two seconds everywhere, bounded size and rate", () => {
    const village = new Village();
    const all = names(100);
    for (const name of all) village.add(name).say({ ...about, url: `http://${name}.internal:8080` }, 0);
    for (const gossip of village.nodes.values()) gossip.configured(configuration(1, all));
    village.run(10_000);
    village.messages = village.bytes = village.largest = 0;
    const mover = all[41] ?? "";
    village.nodes.get(mover)?.say({ ...about, url: "http://elsewhere" }, village.now);
    village.run(2000);
    for (const gossip of village.nodes.values()) {
      assertEquals(gossip.about(mover)?.news.url, "http://elsewhere");
    }
    village.run(8000);
    // Three digests a second each, their answers, and one rumour.
    assert(village.messages <= 100 * 10 * 7, `${village.messages} messages`);
    assert(village.largest < 32 * 1024, `${village.largest} bytes`);
    assert(village.bytes / 100 / 10 < 32 * 1024, `${village.bytes / 100 / 10} bytes a second and node`);
  });

  test("what is old undoes nothing: versions, boots, configurations, terms, in any order and again", () => {
    const random = seededRandom(printedSeed("gossip order"));
    const replica = "n1~a";
    const statements: Uint8Array[] = [];
    for (const [bootCount, counter] of [[1, 1], [1, 2], [2, 1], [2, 2], [3, 1]] as const) {
      statements.push(newsOf([member(replica, bootCount, counter, `http://${bootCount}.${counter}`)]));
    }
    for (let index = 1; index <= 5; index++) {
      statements.push(newsOf([], configuration(index, [replica, "me~x", `n${index}~y`])));
    }
    for (let round = 0; round < 200; round++) {
      const gossip = new Gossip({ replica: "me~x", bootCount: 1, random });
      const twice = [...statements, ...statements].sort(() => random() - 0.5);
      for (const payload of twice) gossip.receive("n9~z", payload, 0);
      assertEquals(gossip.about(replica)?.news.url, "http://3.1");
      assertEquals(gossip.configuration?.index, 5);
    }
  });

  test("a removed replica is not brought back by replayed gossip; its new incarnation is heard (rethinkdb#5289)", () => {
    const village = new Village();
    const before = ["n1~a", "n2~a", "n3~a", "n4~a"];
    for (const name of before) village.add(name).say({ ...about, url: `http://${name}` }, 0);
    for (const gossip of village.nodes.values()) gossip.configured(configuration(1, before));
    village.run(3000);
    const old = [...village.sent];
    // Removed, and added again with an empty disk.
    const after = ["n1~a", "n2~a", "n3~a", "n4~b"];
    village.nodes.delete("n4~a");
    village.nodes.get("n1~a")?.configured(configuration(5, after.slice(0, 3)));
    village.run(2000);
    const again = village.add("n4~b");
    village.nodes.get("n2~a")?.configured(configuration(9, after));
    again.say({ ...about, url: "http://new" }, village.now);
    village.run(3000);
    for (const { from, message } of [...old, ...old.toReversed(), ...old]) {
      village.nodes.get(message.to)?.receive(from, message.payload, village.now);
      if (message.to !== "n4~a") {
        for (const gossip of village.nodes.values()) gossip.receive(from, message.payload, village.now);
      }
    }
    village.run(3000);
    for (const gossip of village.nodes.values()) {
      assertEquals(gossip.configuration?.index, 9);
      assertEquals(gossip.about("n4~a"), null);
      assertEquals(gossip.about("n4~b")?.news.url, "http://new");
    }
  });

  test("a node that was away learns that it was removed", () => {
    const village = new Village();
    const all = names(5);
    for (const name of all) village.add(name).say({ ...about, url: `http://${name}` }, 0);
    for (const gossip of village.nodes.values()) gossip.configured(configuration(1, all));
    village.run(2000);
    const away = all[4] ?? "";
    village.isolated.add(away);
    village.nodes.get(all[0] ?? "")?.configured(configuration(8, all.slice(0, 4)));
    village.run(2000);
    assertEquals(village.nodes.get(away)?.configuration?.index, 1);
    village.isolated.clear();
    village.run(2000);
    assertEquals(village.nodes.get(away)?.configuration?.index, 8);
  });

  test("only it makes news of itself; the same said again is none, a sign of life is", () => {
    const random = seededRandom(1);
    const gossip = new Gossip({ replica: "n1~a", bootCount: 4, random });
    gossip.say({ ...about, url: "http://mine" }, 0);
    gossip.receive("n2~a", newsOf([member("n1~a", 9, 9, "http://forged")]), 0);
    assertEquals(gossip.about("n1~a")?.news.url, "http://mine");
    gossip.say({ ...about, url: "http://mine" }, 5);
    assertEquals(gossip.about("n1~a")?.news.counter, 1);
    gossip.say({ ...about, url: "http://mine" }, 9, true);
    assertEquals([gossip.about("n1~a")?.news.counter, gossip.about("n1~a")?.heardAt], [2, 9]);
  });

  test("bytes that are no gossip are ignored, however they are bent", () => {
    const random = seededRandom(printedSeed("gossip fuzz"));
    const gossip = new Gossip({ replica: "n1~a", bootCount: 1, random });
    const digest = {
      versions: [["n2~a", 1, 1]] as const,
      configurationIndex: 3,
      leaderTerm: 1,
      mayAsk: true,
    };
    const good = [
      newsOf([member("n2~a", 1, 1, "http://x")], configuration(3, ["n2~a"])),
      encodeGossip({ type: "digest", digest }),
    ];
    for (let round = 0; round < 3000; round++) {
      const bytes = (good[round % 2] ?? new Uint8Array()).slice();
      for (let flips = 0; flips < 3; flips++) {
        const at = Math.floor(random() * bytes.byteLength);
        bytes[at] = Math.floor(random() * 256);
      }
      const message = decodeGossip(bytes);
      if (message !== null) assertEquals(decodeGossip(encodeGossip(message)), message);
      gossip.receive("n2~a", bytes, round);
    }
    for (const text of ["", "null", "[]", '{"type":"news"}', '{"type":"digest","digest":{"versions":3}}']) {
      assertEquals(decodeGossip(new TextEncoder().encode(text)), null);
    }
  });
});
