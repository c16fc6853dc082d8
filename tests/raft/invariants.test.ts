// Each invariant fails when it should, and only then (Raft figure 3).
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import {
  brokenChange,
  brokenCluster,
  brokenState,
  type ConfigurationAt,
  firstConfiguration,
  type RaftStatus,
} from "../../lib/raft/mod.ts";

const configuration: ConfigurationAt = { index: 0, configuration: firstConfiguration(["n1", "n2", "n3"]) };
const sound: RaftStatus = {
  id: "n1",
  role: "follower",
  currentTerm: 3,
  votedFor: "n2",
  leaderId: "n2",
  commitIndex: 4,
  lastApplied: 3,
  durableIndex: 5,
  last: { index: 6, term: 3 },
  configuration,
  configurationUncommitted: false,
  peers: [],
  transferTarget: null,
};
const leader: RaftStatus = { ...sound, role: "leader", votedFor: "n1", leaderId: "n1" };
const peer = {
  id: "n2",
  matchIndex: 4,
  nextIndex: 5,
  state: "replicate",
  inflightMessages: 0,
  inflightBytes: 0,
  lastContactMs: 0,
  hasForgotten: false,
} as const;

describe("one replica at one moment", () => {
  const cases: [string, Partial<RaftStatus>][] = [
    ["applied past commit", { lastApplied: 5 }],
    ["applied past what is durable", { commitIndex: 6, lastApplied: 6 }],
    ["committed past the log", { commitIndex: 7 }],
    ["durable past the log", { durableIndex: 7 }],
    ["an entry from the future", { last: { index: 6, term: 4 } }],
    ["a leader without its own vote", { role: "leader", leaderId: "n1" }],
    ["a leader that follows", { ...leader, leaderId: "n2" }],
    ["a candidate that voted for another", { role: "candidate" }],
    ["a learner that campaigns", { id: "n9", role: "preCandidate" }],
    ["a follower with progress", { peers: [peer] }],
    ["a match past next", { ...leader, peers: [{ ...peer, matchIndex: 5 }] }],
    ["a match past the log", { ...leader, peers: [{ ...peer, matchIndex: 7, nextIndex: 8 }] }],
    ["a configuration past the log", { configuration: { ...configuration, index: 7 } }],
  ];
  for (const [name, change] of cases) {
    test(name, () => assertEquals(brokenState({ ...sound, ...change }).length, 1));
  }

  test("sound ones are not complained of", () => {
    for (const status of [sound, leader, { ...leader, peers: [peer] }]) assertEquals(brokenState(status), []);
  });
});

describe("one replica at two moments", () => {
  const cases: [string, RaftStatus, Partial<RaftStatus>][] = [
    ["the term falls", sound, { currentTerm: 2 }],
    ["the commit index falls", sound, { commitIndex: 3 }],
    ["the applied index falls", sound, { lastApplied: 2 }],
    ["the log loses what was committed", sound, { last: { index: 3, term: 3 } }],
    ["a second vote in one term", sound, { votedFor: "n3" }],
    ["a vote taken back", sound, { votedFor: null }],
    ["a leader cuts its log", leader, { last: { index: 5, term: 3 } }],
    [
      "a second configuration before the first is committed",
      { ...leader, configuration: { ...configuration, index: 5 } },
      { configuration: { ...configuration, index: 6 } },
    ],
  ];
  for (const [name, before, change] of cases) {
    test(name, () => assertEquals(brokenChange(before, { ...before, ...change }).length, 1));
  }

  test("what may happen is not complained of", () => {
    assertEquals(brokenChange(sound, { ...sound, currentTerm: 4, votedFor: null, leaderId: null }), []);
    assertEquals(brokenChange(sound, { ...sound, last: { index: 5, term: 3 } }), []);
    const next = { ...leader, configuration: { ...configuration, index: 6 } };
    assertEquals(brokenChange(leader, next), []);
  });
});

describe("the cluster at one moment", () => {
  const view = (status: RaftStatus, terms: readonly number[]) => ({
    status: { ...status, last: { index: terms.length, term: terms.at(-1) ?? 0 } },
    termAt: (index: number) => terms[index - 1] ?? 0,
  });
  const other: RaftStatus = { ...sound, id: "n2" };

  test("sound", () => {
    assertEquals(brokenCluster([view(leader, [1, 1, 2, 3, 3]), view(other, [1, 1, 2, 3])]), []);
  });

  test("election safety: two leaders of one term", () => {
    const second = { ...leader, id: "n2", votedFor: "n2", leaderId: "n2" };
    const broken = brokenCluster([view(leader, [1, 1, 2, 3]), view(second, [1, 1, 2, 3])]);
    assertEquals(broken.length, 1);
    assertEquals(
      brokenCluster([view(leader, [1, 1, 2, 3]), view({ ...second, currentTerm: 2 }, [1, 1, 2, 3])]),
      [],
    );
  });

  test("state machine safety: different entries committed at one index", () => {
    assertEquals(brokenCluster([view(sound, [1, 1, 2, 3]), view(other, [1, 1, 2, 2])]).length, 1);
  });

  test("leader completeness: a leader lacks a committed entry", () => {
    const fresh = { ...leader, commitIndex: 0, lastApplied: 0 };
    assertEquals(brokenCluster([view(fresh, [1, 1, 2]), view(other, [1, 1, 2, 3])]).length, 1);
    assertEquals(brokenCluster([view(fresh, [1, 1, 2, 2]), view(other, [1, 1, 2, 3])]).length, 1);
  });
});
