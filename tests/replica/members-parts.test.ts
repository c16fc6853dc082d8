// The parts of membership alone: plans, rounds of bringing up, state hashes, removal, departures, discovery, messages.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { Applicants } from "../../lib/replica/applicants.ts";
import { BringUp, bringUpSentence } from "../../lib/replica/bring-up.ts";
import { Contacts } from "../../lib/replica/contacts.ts";
import { Departures } from "../../lib/replica/departures.ts";
import { Formation } from "../../lib/replica/formation.ts";
import { longDead } from "../../lib/replica/member-health.ts";
import { decodeMembership, encodeMembership } from "../../lib/replica/membership-messages.ts";
import {
  hasLiveQuorum,
  planAddition,
  planConfiguration,
  planEntry,
  planRemoval,
  planRole,
} from "../../lib/replica/plan.ts";
import { isRemoved } from "../../lib/replica/removal.ts";
import { Rivals } from "../../lib/replica/rivals.ts";
import { StateCompare } from "../../lib/replica/state-compare.ts";
import type { Formation as Statement } from "../../lib/replica/peer-messages.ts";
import type { RaftStatus } from "../../lib/raft/mod.ts";

const three = { voters: ["n1~a", "n2~a", "n3~a"], outgoing: [], learners: ["r~a"] };

describe("plans", () => {
  test("a newcomer is a learner first; learners that are older incarnations of it go, voters stay until it votes", () => {
    const wiped = planEntry({ ...three, learners: ["r~a", "n2~b"] }, "n2~c");
    assertEquals(wiped, { voters: three.voters, learners: ["r~a", "n2~c"] });
    const next = planRole({ ...wiped, outgoing: [] }, "n2~c", "voter");
    assertEquals(next, { voters: ["n1~a", "n3~a", "n2~c"], learners: ["r~a"] });
  });

  test("removal: by id or by incarnation, never the last voter, never nobody", () => {
    const removed = planRemoval({ ...three, learners: ["n2~b"] }, "n2");
    assert(removed.ok);
    assertEquals(removed.plan, { voters: ["n1~a", "n3~a"], learners: [] });
    const one = planRemoval({ ...three, learners: ["n2~b"] }, "n2~b");
    assert(one.ok && one.plan.voters.length === 3 && one.plan.learners.length === 0);
    const last = planRemoval({ voters: ["n1~a"], outgoing: [], learners: ["r~a"] }, "n1");
    assert(!last.ok && last.reason === "conflict");
    const two = planRemoval(three, "n2", 3);
    assert(!two.ok && two.reason === "conflict" && two.detail.includes("only 2 voters would stay"));
    assert(
      planRemoval(three, "r", 3).ok &&
        planRemoval({ ...three, voters: [...three.voters, "n4~a"] }, "n2", 3).ok,
    );
    const nobody = planRemoval(three, "n9");
    assert(!nobody.ok && nobody.reason === "not_found");
  });

  test("a list names members, the living one of two incarnations, each once", () => {
    const two = { ...three, learners: ["n2~b"] };
    const list = (voters: string[], learners: string[] = [], ifIndex: number | null = null) =>
      planConfiguration(
        { index: 9, configuration: two },
        { type: "configure", voters, learners, ifIndex, force: false },
        (one) => one === "n2~b",
      );
    const good = list(["n1", "n2"], ["n3"]);
    assert(good.ok);
    assertEquals(good.plan, { voters: ["n1~a", "n2~b"], learners: ["n3~a"] });
    for (const bad of [list([]), list(["n1", "n1"]), list(["n1", "x"]), list(["n1"], ["n1"])]) {
      assert(!bad.ok && bad.reason === "invalid");
    }
    const late = list(["n1", "n2"], ["n3"], 8);
    assert(!late.ok && late.reason === "changed");
    const both = list(["n1", "n2~a"], ["n2~b"], 9);
    assert(both.ok);
    assertEquals(both.plan, { voters: ["n1~a", "n2~a"], learners: ["n2~b"] });
    // Neither keeps up just now: the one that is coming back is not thrown out with its name.
    const neither = planConfiguration(
      { index: 9, configuration: two },
      { type: "configure", voters: ["n1", "n2"], learners: ["n3"], ifIndex: null, force: false },
      () => false,
    );
    assert(neither.ok);
    assertEquals(neither.plan, { voters: ["n1~a", "n2~a"], learners: ["n3~a", "n2~b"] });
  });

  test("an addition needs somebody who can be reached; the same again changes nothing", () => {
    const add = (id: string, role: "voter" | "learner", reachable: string[]) =>
      planAddition(three, { type: "add", id, url: null, incarnation: null, role, force: false }, reachable);
    const away = add("n4", "voter", []);
    assert(!away.ok && away.reason === "unavailable");
    const entered = add("n4", "voter", ["n4~x"]);
    assert(entered.ok && entered.newcomer === "n4~x" && entered.plan.learners.includes("n4~x"));
    const again = add("n1", "voter", ["n1~a"]);
    assert(again.ok && again.newcomer === null);
    assertEquals(again.plan, { voters: three.voters, learners: three.learners });
    const promoted = add("r", "voter", ["r~a"]);
    assert(promoted.ok && promoted.plan.voters.includes("r~a") && promoted.plan.learners.length === 0);
  });

  test("a voter that is to be a learner becomes one, also when it does not answer; never the only one", () => {
    const demote = (configuration: typeof three, reachable: string[]) =>
      planAddition(
        configuration,
        { type: "add", id: "n2", url: null, incarnation: null, role: "learner", force: false },
        reachable,
      );
    for (const reachable of [["n2~a"], []]) {
      const planned = demote(three, reachable);
      assert(planned.ok && planned.newcomer === null);
      assertEquals(planned.plan, { voters: ["n1~a", "n3~a"], learners: ["r~a", "n2~a"] });
    }
    const only = demote({ ...three, voters: ["n2~a"] }, ["n2~a"]);
    assert(!only.ok && only.reason === "conflict");
  });

  test("a live quorum is one of the new voters", () => {
    const plan = { voters: ["n1~a", "n2~a", "n4~a"], learners: ["n3~a"] };
    const live = (...names: string[]) => hasLiveQuorum(plan, (one) => names.includes(one));
    assertEquals([live("n1~a", "n3~a"), live("n1~a", "n4~a"), live()], [false, true, false]);
  });

  test("the dead are removed only where three voters stay, or where they never voted", () => {
    const status = (voters: string[], learners: string[], dead: string) =>
      ({
        configuration: { index: 1, configuration: { voters, outgoing: [], learners } },
        peers: [...voters, ...learners].filter((id) => id !== "n1~a").map((id) => ({
          id,
          lastContactMs: id === dead ? 100_000 : 1,
          hasForgotten: false,
        })),
      }) as unknown as RaftStatus;
    const found = (voters: string[], learners: string[], dead: string) =>
      longDead(status(voters, learners, dead), 50_000, 200_000, [], (one) => one !== dead)?.replica ?? null;
    assertEquals(found(["n1~a", "n2~a", "n3~a"], [], "n3~a"), null);
    assertEquals(found(["n1~a", "n2~a", "n3~a", "n4~a"], [], "n3~a"), "n3~a");
    assertEquals(found(["n1~a", "n2~a"], ["r~a"], "r~a"), "r~a");
  });
});

describe("bringing up", () => {
  test("rounds end when what the log held at their begin is there; a short one is enough", () => {
    const bringUp = new BringUp(0, 1000);
    bringUp.look(500, 600, 1500, 200);
    assertEquals(bringUp.status(500).rounds, 0);
    bringUp.look(1000, 1000, 1500, 200);
    assertEquals([bringUp.status(1000).rounds, bringUp.status(1000).caughtUp], [1, false]);
    bringUp.look(1100, 1500, 1510, 200);
    assertEquals([bringUp.status(1100).rounds, bringUp.status(1100).caughtUp], [2, true]);
  });

  test("one that cannot keep up is told so", () => {
    const bringUp = new BringUp(0, 10);
    for (let round = 1; round <= 10; round++) bringUp.look(round * 1000, round * 10, (round + 1) * 10, 200);
    const status = bringUp.status(10_000);
    assert(status.cannotKeepUp && bringUpSentence(status).startsWith("cannot keep up"));
  });
});

describe("what is known of others", () => {
  test("state hashes are compared at equal indexes; a majority outvotes", () => {
    const compare = new StateCompare();
    compare.checkpoint(1024, "a");
    compare.checkpoint(2048, "b");
    assertEquals(compare.heard("n2", 512, "x"), false);
    assertEquals(compare.heard("n2", 1024, "x"), true);
    assertEquals(compare.heard("n2", 1024, "x"), false);
    assertEquals(compare.outvoted(["n1", "n2"]), false);
    assertEquals(compare.outvoted(["n1", "n2", "n3"]), false);
    compare.heard("n3", 2048, "y");
    assertEquals(compare.outvoted(["n1", "n2", "n3"]), true);
    compare.heard("n3", 2048, "b");
    assertEquals(compare.outvoted(["n1", "n2", "n3"]), false);
  });

  test("removed is who stands in no configuration later than the one that had it", () => {
    const at = (index: number, voters: string[]) => ({
      index,
      configuration: { voters, outgoing: [], learners: [] },
    });
    assertEquals(isRemoved("n1", 5, [at(4, ["n2"]), null]), false);
    assertEquals(isRemoved("n1", 5, [at(6, ["n2"]), at(3, ["n1"])]), true);
    assertEquals(isRemoved("n1", 5, [at(6, ["n2"]), at(9, ["n1"])]), false);
    assertEquals(isRemoved("n1", 5, [null, null]), false);
  });

  test("when each was last heard from outlasts its link, and is bounded", () => {
    const contacts = new Contacts(1000);
    const somebody = { clusterId: null, bootCount: 1, nonce: "", earlier: [], url: "", version: "" };
    const linked = (...names: string[]) => ({
      connected: () => names.map((replica) => ({ ...somebody, replica, lastContactMs: 40 })),
    });
    contacts.look(2000, linked("n2~a", "n3~a"));
    contacts.look(5000, linked("n3~a"));
    assertEquals([...contacts.all(6000)].map(([name, { agoMs }]) => [name, agoMs]), [["n2~a", 4040], [
      "n3~a",
      1040,
    ]]);
    assertEquals(contacts.watchedMs(6000), 5000);
    contacts.look(7000, linked(...Array.from({ length: 2000 }, (_, at) => `x~${at}`)));
    assertEquals([contacts.all(7000).size, contacts.all(7000).has("n2~a")], [1024, false]);
  });

  test("who asks in vain to be let in is shown for a while", () => {
    const applicants = new Applicants();
    const why = "a change of the members is under way";
    applicants.heard("n4~a", "voter", { type: "wait", why }, 0);
    applicants.heard("n5~a", "learner", { type: "refused", why: "it was removed" }, 10);
    const shown = (now: number) => applicants.all(now).map(({ replica, refused }) => `${replica} ${refused}`);
    assertEquals(shown(100), ["n4~a false", "n5~a true"]);
    applicants.heard("n4~a", "voter", { type: "elsewhere", leaderId: null, urls: [] }, 200);
    assertEquals(shown(300), ["n5~a true"]);
    assertEquals(shown(6000), []);
    for (let at = 0; at < 100; at++) applicants.heard(`x~${at}`, "voter", { type: "wait", why }, 300);
    assertEquals(applicants.all(300).length, 64);
  });

  test("who departs is told until it is quiet, or has had its time", () => {
    const told: string[] = [];
    const departures = new Departures((replica) => told.push(replica));
    assertEquals(departures.areOver(["n3"], 0), false);
    departures.answered("n9", 0, 20);
    assertEquals(departures.areOver(["n3"], 30), false);
    departures.answered("n3", 0, 50);
    assertEquals(departures.areOver(["n3"], 60), true);
    // One that is silent is not waited for long; one that is busy, for as long as people are.
    assertEquals([100, 800, 1000].map((now) => departures.areOver(["n4"], now)), [false, false, true]);
    assertEquals(departures.areOver(["n5"], 2000), false);
    for (let now = 2100; now < 5400; now += 100) {
      departures.answered("n5", 3, now);
      assertEquals(departures.areOver(["n5"], now), false);
    }
    departures.answered("n5", 3, 5500);
    assertEquals(departures.areOver(["n5"], 5500), true);
    assert(told.length >= 4);
  });

  test("an id is taken when its owner is heard after the newcomer was refused, not before", () => {
    const rivals = new Rivals();
    const judge = (now: number, heardMs: number | null, newcomer = "n2~b") =>
      rivals.judge(newcomer, "n2~a", heardMs, now);
    // Wiped and back at once: the old link is there, and dead.
    assertEquals([judge(1000, 200), judge(1100, 300), judge(4000, 3200)], ["wait", "wait", "wait"]);
    assertEquals(judge(4100, null), "enter");
    // What its dead process sent last may come a moment late, and where nothing is known nothing is concluded.
    assertEquals([judge(5000, Infinity, "n2~c"), judge(5200, 0, "n2~c")], ["wait", "wait"]);
    assertEquals(judge(5300, null, "n2~c"), "enter");
    // Two that live: it stays refused while the owner restarts.
    assertEquals([judge(6000, 0, "n2~d"), judge(6400, 0, "n2~d"), judge(6500, null, "n2~d")], [
      "wait",
      "taken",
      "taken",
    ]);
    assertEquals(rivals.judge("n2~d", "n2~other", null, 9000), "enter");
  });

  test("messages of membership: there and back, and nothing else", () => {
    const outcome = { type: "wait", why: "x" } as const;
    const request = { type: "remove", id: "n1", force: true } as const;
    for (
      const message of [
        { type: "Join", role: "learner" },
        { type: "JoinReply", outcome },
        { type: "JoinReply", outcome: { type: "refused", why: "x", taken: true } },
        { type: "Depart" },
        { type: "Departing", underWay: 2 },
        { type: "Admin", requestId: 3, request, timeoutMs: 5 },
        { type: "AdminReply", requestId: 3, outcome: { ok: false, reason: "conflict", detail: "y" } },
      ] as const
    ) assertEquals(decodeMembership(encodeMembership(message)), message);
    for (const text of ["", "7", "{}", '{"type":"Join","role":"king"}', '{"type":"Admin","requestId":1}']) {
      assertEquals(decodeMembership(new TextEncoder().encode(text)), null);
    }
  });
});

describe("forming a cluster of whoever is found", () => {
  const statement = (over: Partial<Statement>): Statement => ({
    ...{ type: "Formation", expected: [], record: null, attempt: 1, agreed: [], started: false },
    ...over,
  });
  const finder = (record: readonly string[] | null = null) =>
    new Formation({ self: "a~1", expected: [], record, started: false, random: () => 0.5 });

  test("so many are needed, and all must have found the same", () => {
    const formation = finder();
    formation.discovering(3);
    formation.peerUp("b~1");
    formation.heard("b~1", statement({ expected: ["a", "b"] }));
    assertEquals(formation.save(), null);
    assert(formation.waitingFor()?.includes("3 are needed"));
    formation.peerUp("c~1");
    formation.heard("c~1", statement({ expected: ["b", "c"] }));
    assert(formation.waitingFor()?.includes("has discovered other nodes"));
    for (const peer of ["b~1", "c~1"]) formation.heard(peer, statement({ expected: ["a", "b", "c"] }));
    assertEquals(formation.save()?.record, ["a~1", "b~1", "c~1"]);
  });

  test("who stands in the record stays wanted, so that no other set is formed without it", () => {
    const formation = finder(["a~1", "b~1", "c~1"]);
    formation.discovering(3);
    for (const peer of ["d~1", "e~1"]) {
      formation.peerUp(peer);
      formation.heard(peer, statement({ expected: ["a", "b", "c", "d", "e"] }));
    }
    assertEquals(formation.statement().expected, ["a", "b", "c", "d", "e"]);
    const save = formation.save();
    assert(save === null || (!save.started && save.record.includes("b~1") && save.record.includes("c~1")));
  });

  test("not while the name shows too many machines; nodes that only join do not count", () => {
    const formation = finder();
    formation.discovering(null);
    formation.peerUp("b~1");
    formation.heard("b~1", statement({ expected: ["a", "b"] }));
    assertEquals(formation.save(), null);
    formation.discovering(2);
    formation.peerUp("reader~1");
    assertEquals(formation.statement().expected, ["a", "b"]);
    assertEquals(formation.save()?.record, ["a~1", "b~1"]);
  });

  test("machines are counted, not addresses: two of one node are one, who only joins is none, silence is one", () => {
    const found = (...behind: (string | null)[]) => {
      const formation = finder();
      for (const peer of ["b~1", "c~1"]) {
        formation.peerUp(peer);
        formation.heard(peer, statement({ expected: ["a", "b", "c"] }));
      }
      formation.peerUp("reader~1");
      formation.heard("reader~1", statement({}));
      formation.discovering(3, behind);
      return {
        forms: formation.save() !== null,
        why: formation.waitingFor(),
        wrong: formation.expectsTooFew,
      };
    };
    const all = ["a~1", "b~1", "c~1"];
    assertEquals(found(...all, ...all, "reader~1", "reader~1").forms, true);
    assertEquals(found(...all, null, null).forms, true);
    const unknown = found(...all, null, null, null);
    assertEquals([unknown.forms, unknown.wrong], [false, false]);
    assert(unknown.why?.startsWith("3 of the addresses found do not answer"), unknown.why ?? "");
    const tooMany = found(...all, "d~1", "e~1", "f~1");
    assertEquals([tooMany.forms, tooMany.wrong], [false, true]);
    assert(tooMany.why?.includes("not more than half of the 6 nodes found"), tooMany.why ?? "");
  });
});
