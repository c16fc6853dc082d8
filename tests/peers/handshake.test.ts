// The handshake without sockets: who gets in, who does not, and what a stranger learns.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { describe, test } from "bun:test";
import { encodeHandshake } from "../../lib/peers/handshake-messages.ts";
import { Handshake, type HandshakeOptions, type HandshakeStep } from "../../lib/peers/handshake.ts";
import { newChallenge } from "../../lib/peers/proof.ts";
import type { PeerIdentity } from "../../lib/replica/ports.ts";
import { printedSeed, seededRandom } from "../support/random.ts";

function identity(name: string, more: Partial<PeerIdentity> = {}): PeerIdentity {
  const url = `http://127.0.0.1/${name}`;
  return {
    ...{ replica: name, clusterId: null, bootCount: 1, nonce: `p-${name}`, earlier: [], url },
    ...{ version: "1.0.0", ...more },
  };
}

function side(role: "dialler" | "listener", more: Partial<HandshakeOptions> = {}): Handshake {
  return new Handshake({
    ...{ role, purpose: "control", own: identity(role === "dialler" ? "n1~a" : "n2~b"), secret: "s3cret" },
    ...{ challenge: newChallenge(), admit: () => ({ ok: true }), wanted: () => null, ...more },
  });
}

type Run = { dialler: HandshakeStep | null; listener: HandshakeStep | null; said: Uint8Array[] };

/** Carries messages to and fro until both are through or one has refused. `said` is all the listener said. */
function run(dialler: Handshake, listener: Handshake): Run {
  const result: Run = { dialler: null, listener: null, said: [] };
  let next = dialler.start();
  for (let hop = 0; next !== null && hop < 10; hop++) {
    const step: HandshakeStep = (hop % 2 === 0 ? listener : dialler).receive(next);
    result[hop % 2 === 0 ? "listener" : "dialler"] = step;
    next = step.type === "refusedByPeer" ? null : step.send;
    if (hop % 2 === 0 && next !== null) result.said.push(next);
  }
  return result;
}

const refusalOf = (step: HandshakeStep | null) => step?.type === "refused" ? step.refusal.code : step?.type;

describe("a handshake", () => {
  test("of two that share the secret ends open on both sides, each knowing the other", () => {
    const { dialler, listener } = run(side("dialler"), side("listener"));
    assert(dialler?.type === "open" && listener?.type === "open");
    assertEquals(dialler.peer, identity("n2~b"));
    assertEquals(listener.peer, identity("n1~a"));
  });

  test("without any secret works the same (loopback only, which is the sockets' affair)", () => {
    const { listener } = run(side("dialler", { secret: null }), side("listener", { secret: null }));
    assertEquals(listener?.type, "open");
  });

  test("a wrong secret gets a challenge and then nothing", () => {
    const { dialler, listener, said } = run(side("dialler", { secret: "guess" }), side("listener"));
    assertEquals(refusalOf(listener), "wrong_secret");
    assertEquals(dialler?.type, "continue");
    assertEquals(said.length, 1);
    const text = new TextDecoder().decode(said[0]);
    assert(!text.includes("n2") && !text.includes("s3cret") && !text.includes("127.0.0.1"));
  });

  test("the secret is in no message", () => {
    const dialler = side("dialler");
    const listener = side("listener");
    const texts: string[] = [];
    let next = dialler.start();
    for (let hop = 0; next !== null && hop < 10; hop++) {
      texts.push(new TextDecoder("latin1").decode(next));
      const step = (hop % 2 === 0 ? listener : dialler).receive(next);
      next = step.type === "refusedByPeer" ? null : step.send;
    }
    assertEquals(texts.length, 5);
    assert(!texts.join().includes("s3cret"));
  });

  test("one side with a secret and one without: both are told", () => {
    for (const [ours, theirs] of [["s3cret", null], [null, "s3cret"]] as const) {
      const { dialler, listener } = run(
        side("dialler", { secret: ours }),
        side("listener", { secret: theirs }),
      );
      assertEquals([refusalOf(dialler), refusalOf(listener)], ["no_secret", "no_secret"]);
    }
  });

  test("a listener that does not know the secret is found out, too", () => {
    const dialler = side("dialler");
    const impostor = side("listener", { secret: "guess" });
    const hello = dialler.start();
    assert(hello !== null);
    const challenge = impostor.receive(hello);
    assert(challenge.type === "continue" && challenge.send !== null);
    assertEquals(dialler.receive(challenge.send).type, "continue");
    const proof = new Uint8Array(32);
    const faked = encodeHandshake({
      type: "Refusal",
      code: "self",
      sentence: "it is you",
      clusterId: null,
      proof,
    });
    assertEquals(refusalOf(dialler.receive(faked)), "wrong_secret");
  });

  const own = (clusterId: string | null) => ({ own: identity("n2~b", { clusterId }) });
  test("another cluster is refused, and the dialler is told which", () => {
    const dialler = side("dialler", { own: identity("n1~a", { clusterId: "c-one" }) });
    const { dialler: told, listener } = run(dialler, side("listener", own("c-two")));
    assertEquals(refusalOf(listener), "other_cluster");
    assert(told?.type === "refusedByPeer");
    assertStringIncludes(told.sentence, "c-two");
  });

  test("a node of no cluster yet is welcome in any", () => {
    assertEquals(run(side("dialler"), side("listener", own("c-two"))).listener?.type, "open");
  });

  test("a node that reached itself is told so; its copy is another thing", () => {
    const self = identity("n1~a");
    const dialler = () => side("dialler", { own: self });
    const { dialler: told } = run(dialler(), side("listener", { own: self }));
    assert(told?.type === "refusedByPeer");
    assertEquals(told.code, "self");
    const copy = run(dialler(), side("listener", { own: { ...self, nonce: "p-copy" } }));
    assertEquals(refusalOf(copy.listener), "identity_in_use");
  });

  test("whom admit refuses hears its reason, on one line", () => {
    const admit = () => ({ ok: false, reason: "boot count 1 after 7:\nis an old\u0000 disk back?" } as const);
    const { dialler, listener } = run(side("dialler"), side("listener", { admit }));
    assertEquals(refusalOf(listener), "not_admitted");
    assert(dialler?.type === "refusedByPeer");
    assertEquals(dialler.sentence, "boot count 1 after 7: is an old disk back?");
    const other = run(side("dialler", { admit }), side("listener"));
    assertEquals(refusalOf(other.dialler), "not_admitted");
    assertEquals(other.listener?.type, "refusedByPeer");
  });

  test("earlier starts are shown; who refuses a folder as stale says of which cluster it is", () => {
    const starts = { bootCount: 4, earlier: ["b", "c", "d"] };
    const shown: PeerIdentity[] = [];
    const admit = (peer: PeerIdentity) => {
      shown.push(peer);
      return { ok: false, reason: "it is a copy", folder: "stale" } as const;
    };
    const dialler = () => side("dialler", { own: identity("n1~a", starts) });
    for (const clusterId of ["c-two", null]) {
      const { dialler: told, listener } = run(dialler(), side("listener", { ...own(clusterId), admit }));
      assertEquals(refusalOf(listener), "stale_folder");
      assert(told?.type === "refusedByPeer");
      assertEquals([told.code, told.clusterId], ["stale_folder", clusterId]);
    }
    assertEquals(shown, [identity("n1~a", starts), identity("n1~a", starts)]);
  });

  test("admit is asked only about peers that have proved the secret", () => {
    let asked = 0;
    const admit = () => ({ ok: ++asked > 0 } as const);
    run(
      side("dialler", { secret: "guess" }),
      side("listener", { admit: admit as HandshakeOptions["admit"] }),
    );
    assertEquals(asked, 0);
  });

  test("another protocol version is named on both sides", () => {
    const listener = side("listener");
    const hello = encodeHandshake({
      ...{ type: "Hello", hasSecret: true, purpose: "control", challenge: newChallenge() },
      peer: identity("n9"),
    }, 7);
    const step = listener.receive(hello);
    assert(step.type === "refused");
    assertStringIncludes(step.refusal.sentence, "version 7");
    const dialler = side("dialler");
    const challenge = encodeHandshake({ type: "Challenge", hasSecret: true, challenge: newChallenge() }, 7);
    assertEquals(refusalOf(dialler.receive(challenge)), "protocol_version");
  });

  test("a recorded handshake is worth nothing the second time", () => {
    const record: Uint8Array[] = [];
    const dialler = side("dialler");
    const listener = side("listener");
    let next = dialler.start();
    for (let hop = 0; next !== null && hop < 10; hop++) {
      if (hop % 2 === 0) record.push(next);
      const step = (hop % 2 === 0 ? listener : dialler).receive(next);
      next = step.type === "refusedByPeer" ? null : step.send;
    }
    assertEquals(record.length, 3);
    const again = side("listener");
    const steps = record.map((message) => again.receive(message));
    assertEquals(steps.map((step) => refusalOf(step)), ["continue", "wrong_secret", "malformed"]);
  });

  test("a proof reflected to its maker is no proof", () => {
    // The impostor dials the node that dialled it and hands each challenge on.
    const dialler = side("dialler");
    const ownListener = side("listener", { own: identity("n1~a") });
    const hello = dialler.start();
    assert(hello !== null);
    const challenge = ownListener.receive(hello);
    assert(challenge.type === "continue" && challenge.send !== null);
    const proof = dialler.receive(challenge.send);
    assert(proof.type === "continue" && proof.send !== null);
    assertEquals(refusalOf(dialler.receive(proof.send)), "malformed");
    assertEquals(refusalOf(ownListener.receive(proof.send)), "self");
  });

  test("any bytes at any step end in a refusal, never in a throw", () => {
    const random = seededRandom(printedSeed("handshake fuzz"));
    for (let round = 0; round < 1_000; round++) {
      const dialler = side("dialler");
      const listener = side("listener");
      const damagedHop = Math.floor(random() * 5);
      let next = dialler.start();
      for (let hop = 0; next !== null && hop < 10; hop++) {
        const bytes: Uint8Array = next.slice(
          0,
          hop === damagedHop ? Math.ceil(random() * next.length) : undefined,
        );
        if (hop === damagedHop) {
          const at = Math.floor(random() * bytes.length);
          bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
        }
        const step = (hop % 2 === 0 ? listener : dialler).receive(bytes);
        if (hop === damagedHop && hop % 2 === 0 && hop === 4) assertEquals(step.type, "refused");
        next = step.type === "refusedByPeer" ? null : step.send;
      }
    }
  });
});
