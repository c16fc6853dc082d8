// Quorums, logs, progress and the history of configurations against brute force and small models.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigurationHistory } from "../../lib/raft/configuration-history.ts";
import { RaftLog } from "../../lib/raft/log.ts";
import {
  type Configuration,
  decodeConfiguration,
  encodeConfiguration,
  idOf,
  incarnationOf,
  isMember,
  isVoter,
  majority,
  members,
  quorumValue,
  replicaId,
  voteResult,
} from "../../lib/raft/mod.ts";
import { Progress } from "../../lib/raft/progress.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { entry } from "./support.ts";

const names = ["a", "b", "c", "d", "e"];

/** Every configuration of one or two groups out of the first four names, learners aside. */
function configurations(): Configuration[] {
  const groups = subsets(names.slice(0, 4)).filter((group) => group.length > 0);
  const single = groups.map((voters) => ({ voters, outgoing: [], learners: [] }));
  return [
    ...single,
    ...groups.flatMap((voters) => groups.map((outgoing) => ({ voters, outgoing, learners: [] }))),
  ];
}

function subsets<T>(list: readonly T[]): T[][] {
  return Array.from({ length: 2 ** list.length }, (_, bits) => list.filter((_, at) => bits & (1 << at)));
}

/** By definition: more than half of each group. */
function isQuorum({ voters, outgoing }: Configuration, set: readonly string[]): boolean {
  const holds = (group: readonly string[]) =>
    group.length === 0 || group.filter((voter) => set.includes(voter)).length * 2 > group.length;
  return holds(voters) && holds(outgoing);
}

describe("quorum", () => {
  test("majorities", () => {
    assertEquals([1, 2, 3, 4, 5, 6, 7].map(majority), [1, 2, 2, 3, 3, 4, 4]);
  });

  test("quorumValue is the largest value that some quorum has reached", () => {
    const random = seededRandom(printedSeed("quorumValue"));
    for (const configuration of configurations()) {
      const values = new Map(names.map((name) => [name, Math.floor(random() * 5)]));
      const valueOf = (name: string) => values.get(name) ?? 0;
      let expected = -Infinity;
      for (const set of subsets(names)) {
        if (isQuorum(configuration, set)) expected = Math.max(expected, Math.min(...set.map(valueOf)));
      }
      assertEquals(quorumValue(configuration, valueOf), expected, JSON.stringify(configuration));
    }
  });

  test("voteResult is won with a quorum, lost when none is left, pending between", () => {
    for (const configuration of configurations()) {
      for (const granted of subsets(names.slice(0, 4))) {
        for (const refused of subsets(names.slice(0, 4).filter((name) => !granted.includes(name)))) {
          const votes = new Map([
            ...granted.map((name) => [name, true] as const),
            ...refused.map((name) => [name, false] as const),
          ]);
          const possible = names.filter((name) => !refused.includes(name));
          const expected = isQuorum(configuration, granted)
            ? "won"
            : isQuorum(configuration, possible)
            ? "pending"
            : "lost";
          assertEquals(voteResult(configuration, votes), expected);
        }
      }
    }
  });

  test("any two quorums of a configuration intersect, and those of C_old,new with those of C_old and of C_new", () => {
    const all = subsets(names.slice(0, 4));
    for (const joint of configurations()) {
      const neighbours = [joint, { ...joint, outgoing: [] }];
      if (joint.outgoing.length > 0) neighbours.push({ voters: joint.outgoing, outgoing: [], learners: [] });
      const quorums = all.filter((set) => isQuorum(joint, set));
      for (const other of neighbours) {
        for (const set of all.filter((candidate) => isQuorum(other, candidate))) {
          assert(quorums.every((quorum) => quorum.some((name) => set.includes(name))));
        }
      }
    }
  });

  test("strangers and learners count nowhere", () => {
    const configuration = { voters: ["a", "b", "c"], outgoing: [], learners: ["d"] };
    assertEquals(voteResult(configuration, new Map([["a", true], ["d", true], ["z", true]])), "pending");
    assertEquals(quorumValue(configuration, (name) => name === "a" || name === "d" ? 9 : 0), 0);
  });

  test("without voters nothing is agreed on", () => {
    const nobody = { voters: [], outgoing: [], learners: ["a"] };
    assertEquals(quorumValue(nobody, () => 1), -Infinity);
    assertEquals(voteResult(nobody, new Map([["a", true]])), "lost");
  });
});

describe("configuration", () => {
  test("codec: there and back, and errors that say what is wrong", () => {
    for (const configuration of configurations()) {
      const full = { ...configuration, learners: ["z~1"] };
      assertEquals(decodeConfiguration(encodeConfiguration(full)), full);
    }
    const bytes = (text: string) => new TextEncoder().encode(text);
    for (
      const text of [
        "",
        "{",
        "[]",
        "null",
        '{"voters":["a"],"outgoing":[]}',
        '{"voters":[1],"outgoing":[],"learners":[]}',
      ]
    ) {
      assertThrows(() => decodeConfiguration(bytes(text)), SyntaxError);
    }
  });

  test("who is what", () => {
    const joint = { voters: ["a", "b"], outgoing: ["b", "c"], learners: ["d"] };
    assertEquals(members(joint).sort(), ["a", "b", "c", "d"]);
    assertEquals(["a", "c", "d", "e"].map((name) => isVoter(joint, name)), [true, true, false, false]);
    assertEquals(["a", "d", "e"].map((name) => isMember(joint, name)), [true, true, false]);
  });

  test("a replica is an id and an incarnation", () => {
    assertEquals([idOf("n1~x"), incarnationOf("n1~x"), replicaId("n1", "x")], ["n1", "x", "n1~x"]);
    assertEquals([idOf("n1"), incarnationOf("n1"), replicaId("n1", "")], ["n1", "", "n1"]);
  });

  test("history: in force on append, rolled back when cut off, forgotten when superseded and committed", () => {
    const of = (index: number) => ({
      index,
      configuration: { voters: [`v${index}`], outgoing: [], learners: [] },
    });
    const history = new ConfigurationHistory([of(0)]);
    for (const index of [3, 5, 9]) history.append(index, of(index).configuration);
    assertEquals(history.latest, of(9));
    history.truncateFrom(5);
    assertEquals(history.latest, of(3));
    history.truncateFrom(4);
    assertEquals(history.all(), [of(0), of(3)]);
    history.append(6, of(6).configuration);
    history.forgetBefore(5);
    assertEquals(history.all(), [of(3), of(6)]);
    history.truncateFrom(0);
    assertEquals(history.latest, of(3), "the base never leaves");
    assertEquals(history.takeChange(), [of(3)]);
    assertEquals(history.takeChange(), null);
  });
});

describe("log", () => {
  test("against a plain array: append, truncate, persist and trim at random", () => {
    const random = seededRandom(printedSeed("log"));
    const below = (bound: number) => Math.floor(random() * bound);
    let model = Array.from({ length: 4 }, (_, at) => entry(1, at + 1));
    const disk = [...model];
    const reader = {
      entries: (from: number, to: number) => disk.slice(from - 1, to),
      term: (index: number) => disk[index - 1]?.term ?? 0,
    };
    const log = new RaftLog(reader, { index: 4, term: 1 }, 0, 300);
    let durable = 4;
    let term = 1;
    for (let step = 0; step < 5000; step++) {
      const action = below(10);
      if (action < 5) {
        if (below(5) === 0) term++;
        const next = entry(term, model.length + 1);
        model.push(next);
        log.append(next);
      } else if (action < 6 && model.length > durable) {
        const from = durable + 1 + below(model.length - durable);
        model = model.slice(0, from - 1);
        log.truncateFrom(from);
        term++;
      } else if (action < 9) {
        const handed = log.takeUnpersisted(step);
        const first = handed[0];
        if (first === undefined) continue;
        disk.splice(first.index - 1, Infinity, ...handed);
        log.persisted(step, { index: disk.length, term: disk.at(-1)?.term ?? 0 });
        durable = disk.length;
        assertEquals(disk, model);
      } else log.trim(durable);
      assertEquals(log.last, { index: model.length, term: model.at(-1)?.term ?? 0 });
      assertEquals(log.durableIndex, durable);
      const at = 1 + below(model.length);
      assertEquals(log.term(at), model[at - 1]?.term ?? -1);
      const some = log.entries(at, model.length, 200);
      assert(some.length > 0);
      assertEquals([...some], model.slice(at - 1, at - 1 + some.length));
    }
  });

  test("findNotAfter: the last place whose term is not later", () => {
    const terms = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
    const entries = terms.map((term, at) => entry(term, at + 1));
    const reader = { entries: () => entries, term: (index: number) => terms[index - 1] ?? 0 };
    const log = new RaftLog(reader, { index: 10, term: 6 }, 0, 1000);
    for (let index = 0; index <= 12; index++) {
      for (let term = 0; term <= 7; term++) {
        let expected = Math.min(index, 10);
        while (expected > 0 && (terms[expected - 1] ?? 0) > term) expected--;
        assertEquals(log.findNotAfter(index, term).index, expected);
      }
    }
  });

  test("findNotAfter: a long diverged log on disk costs a few reads", () => {
    let reads = 0;
    const reader = { entries: () => [], term: (index: number) => (reads++, index <= 1000 ? 3 : 4) };
    const log = new RaftLog(reader, { index: 150_000, term: 5 }, 0, 1000);
    assertEquals(log.findNotAfter(150_000, 3), { index: 1000, term: 3 });
    assert(reads < 40, `${reads} reads`);
  });

  test("a durable end that was overwritten meanwhile says nothing", () => {
    const log = new RaftLog({ entries: () => [], term: () => 0 }, { index: 0, term: 0 }, 0, 1000);
    for (const index of [1, 2, 3]) log.append(entry(1, index));
    log.takeUnpersisted(1);
    log.truncateFrom(2);
    log.append(entry(2, 2));
    log.persisted(1, { index: 3, term: 1 });
    assertEquals(log.durableIndex, 0);
    log.persisted(1, { index: 2, term: 1 });
    assertEquals(log.durableIndex, 0);
    log.takeUnpersisted(2);
    log.persisted(2, { index: 2, term: 2 });
    assertEquals(log.durableIndex, 2);
  });

  test("what a write under way is about to overwrite is not durable, even with the same entries", () => {
    const log = new RaftLog({ entries: () => [], term: () => 0 }, { index: 0, term: 0 }, 0, 1000);
    const rewritten = [[entry(2, 1), entry(2, 2)], [entry(3, 1)], [entry(2, 1), entry(2, 2)]];
    for (const [at, entries] of rewritten.entries()) {
      log.truncateFrom(1);
      for (const one of entries) log.append(one);
      log.takeUnpersisted(at + 1);
    }
    log.persisted(1, { index: 2, term: 2 });
    assertEquals(log.durableIndex, 0, "the second write cuts both off again");
    log.persisted(2, { index: 1, term: 3 });
    assertEquals(log.durableIndex, 0);
    log.persisted(3, { index: 2, term: 2 });
    assertEquals(log.durableIndex, 2);
  });
});

describe("progress", () => {
  test("matchIndex never falls, nextIndex stays past it, the window empties as acknowledgements come", () => {
    const progress = new Progress(1, 100);
    progress.becomeReplicate();
    progress.sent(2, 20, { round: 1, sentAt: 0 });
    progress.sent(5, 30, { round: 1, sentAt: 0 });
    assertEquals([progress.inflightMessages, progress.inflightBytes, progress.nextIndex], [2, 50, 6]);
    assertEquals(progress.acknowledged(3, 1, 10), true);
    assertEquals([progress.inflightMessages, progress.inflightBytes, progress.matchIndex], [1, 30, 3]);
    assertEquals(progress.acknowledged(2, 1, 10), false);
    assertEquals(progress.matchIndex, 3);
    progress.becomeProbe(1);
    assertEquals([progress.nextIndex, progress.inflightMessages, progress.inflightBytes], [4, 0, 0]);
  });

  test("retransmission backs off while nothing comes of it, and begins anew with news", () => {
    const progress = new Progress(1, 100);
    const waits: number[] = [];
    for (let now = 0, since = 0; waits.length < 5; now += 10) {
      if (!progress.probeIsOut) {
        progress.probed({ round: 1 + now / 100, sentAt: now });
        since = now;
      }
      if (!progress.isOverdue(now, 500)) continue;
      waits.push(now - since);
      progress.becomeProbe(1);
    }
    assertEquals(waits, [100, 200, 400, 500, 500]);
    progress.acknowledged(1, 20, 2000);
    progress.becomeProbe(2);
    progress.probed({ round: 0, sentAt: 0 });
    assertEquals([progress.isOverdue(99, 500), progress.isOverdue(100, 500)], [false, true]);
  });

  test("what was given up for lost is measured by the round that its answer echoes, and counts at once", () => {
    const progress = new Progress(1, 100);
    progress.becomeReplicate();
    progress.sent(1, 20, { round: 1, sentAt: 0 });
    progress.acknowledged(1, 1, 10);
    progress.sent(2, 20, { round: 11, sentAt: 1000 });
    assertEquals([progress.isOverdue(1100, 5000), progress.usualMs], [true, 10]);
    progress.becomeProbe(2);
    progress.probed({ round: 12, sentAt: 1100 });
    assertEquals(progress.acknowledged(2, 11, 1400), true);
    assertEquals(progress.usualMs, 400);
    progress.becomeReplicate();
    progress.sent(3, 20, { round: 21, sentAt: 2000 });
    assertEquals([progress.isOverdue(3199, 5000), progress.isOverdue(3200, 5000)], [false, true]);
  });

  test("a follower that takes long is waited for three times as long, up to the bound", () => {
    const progress = new Progress(1, 100);
    progress.becomeReplicate();
    progress.sent(1, 20, { round: 1, sentAt: 0 });
    progress.acknowledged(1, 1, 120);
    progress.sent(2, 20, { round: 11, sentAt: 1000 });
    assertEquals([progress.isOverdue(1359, 1000), progress.isOverdue(1360, 1000)], [false, true]);
    const slow = new Progress(1, 100);
    slow.becomeReplicate();
    slow.sent(1, 20, { round: 1, sentAt: 0 });
    slow.acknowledged(1, 1, 900);
    slow.sent(2, 20, { round: 11, sentAt: 1000 });
    assertEquals([slow.isOverdue(1999, 1000), slow.isOverdue(2000, 1000)], [false, true]);
  });
});
