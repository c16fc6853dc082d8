// Raft figure 2, box by box, a test for each sentence (Ongaro & Ousterhout 2014).
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { logOf, Lone, ofType } from "./support.ts";

describe("figure 2, State", () => {
  test("currentTerm: latest term server has seen, initialized to 0 on first boot, increases monotonically", () => {
    const lone = new Lone();
    assertEquals(lone.status.currentTerm, 0);
    lone.appendEntries({ term: 7 });
    lone.appendEntries({ term: 3 });
    assertEquals(lone.status.currentTerm, 7);
  });

  test("votedFor: candidateId that received vote in current term, or null if none", () => {
    const lone = new Lone();
    assertEquals(lone.status.votedFor, null);
    lone.requestVote({ term: 1 });
    assertEquals(lone.status.votedFor, "n2");
    lone.appendEntries({ term: 2, from: "n3" });
    assertEquals(lone.status.votedFor, null);
  });

  test("log[]: first index is 1", () => {
    const lone = new Lone();
    lone.appendEntries({ entries: logOf(1) });
    assertEquals(lone.status.last, { index: 1, term: 1 });
  });

  test("persistent state is updated on stable storage before responding to RPCs", () => {
    const lone = new Lone();
    lone.node.diskIsSlow = true;
    assertEquals(lone.requestVote({ term: 1 }), []);
    assertEquals(lone.appendEntries({ entries: logOf(1) }), []);
    assertEquals(lone.node.disk.entries, []);
    lone.world.flush(lone.node);
    assertEquals(lone.sent().map(({ type }) => type), ["RequestVoteReply", "AppendEntriesReply"]);
    assertEquals(lone.terms, [1]);
  });

  test("commitIndex and lastApplied: initialized to 0, increase monotonically", () => {
    const lone = new Lone();
    assertEquals([lone.status.commitIndex, lone.status.lastApplied], [0, 0]);
    lone.appendEntries({ entries: logOf(1, 1), leaderCommit: 2 });
    lone.appendEntries({ prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 1 });
    assertEquals([lone.status.commitIndex, lone.status.lastApplied], [2, 2]);
  });

  test("nextIndex[]: initialized to leader last log index + 1; matchIndex[]: initialized to 0", () => {
    const lone = new Lone({ log: logOf(1, 1, 1) });
    lone.becomeCandidate();
    const sent = ofType(lone.voteReply("n2"), "AppendEntries");
    assertEquals(sent.map(({ prevLogIndex }) => prevLogIndex), [3, 3]);
    assertEquals(lone.status.peers.map(({ matchIndex }) => matchIndex), [0, 0]);
  });

  test("nextIndex[] and matchIndex[] are reinitialized after election", () => {
    const lone = new Lone();
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 1 });
    lone.appendEntries({ term: 5, from: "n3" });
    assertEquals(lone.status.peers, []);
    lone.becomeLeader();
    assertEquals(lone.status.peers.map(({ matchIndex }) => matchIndex), [0, 0]);
  });
});

describe("figure 2, AppendEntries RPC, receiver implementation", () => {
  test("1. reply false if term < currentTerm (§5.1)", () => {
    const lone = new Lone({ hardState: { currentTerm: 3, votedFor: null, withholdMs: 0 } });
    const [reply] = ofType(lone.appendEntries({ term: 2, entries: logOf(1) }), "AppendEntriesReply");
    assertEquals([reply?.success, reply?.term], [false, 3]);
    assertEquals(lone.terms, []);
    assertEquals(lone.status.leaderId, null);
  });

  test("2. reply false if log doesn't contain an entry at prevLogIndex whose term matches prevLogTerm (§5.3)", () => {
    const lone = new Lone({ log: logOf(1, 1) });
    for (const [prevLogIndex, prevLogTerm] of [[3, 1], [2, 2]] as const) {
      const [reply] = ofType(
        lone.appendEntries({ term: 2, prevLogIndex, prevLogTerm }),
        "AppendEntriesReply",
      );
      assertEquals(reply?.success, false, `${prevLogTerm}/${prevLogIndex}`);
    }
    assertEquals(lone.terms, [1, 1]);
  });

  test("3. if an existing entry conflicts with a new one (same index, different terms), delete it and all that follow it (§5.3)", () => {
    const lone = new Lone({ log: logOf(1, 1, 1, 2, 2) });
    const entries = [{ ...logOf(3)[0]!, index: 4 }];
    lone.appendEntries({ term: 3, prevLogIndex: 3, prevLogTerm: 1, entries });
    assertEquals(lone.terms, [1, 1, 1, 3]);
  });

  test("4. append any new entries not already in the log", () => {
    const lone = new Lone({ log: logOf(1, 1) });
    lone.appendEntries({ entries: logOf(1, 1, 1) });
    assertEquals(lone.terms, [1, 1, 1]);
    lone.appendEntries({ entries: logOf(1) });
    assertEquals(lone.terms, [1, 1, 1]);
  });

  test("5. if leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)", () => {
    const lone = new Lone({ log: logOf(1, 1, 1) });
    lone.appendEntries({ entries: logOf(1, 1), leaderCommit: 9 });
    assertEquals(lone.status.commitIndex, 2);
    lone.appendEntries({ entries: logOf(1, 1, 1), leaderCommit: 1 });
    assertEquals(lone.status.commitIndex, 2);
    lone.appendEntries({ entries: logOf(1, 1, 1), leaderCommit: 3 });
    assertEquals(lone.status.commitIndex, 3);
  });

  test("entries[]: empty for heartbeat, may send more than one for efficiency", () => {
    const lone = new Lone();
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 1 });
    lone.sent();
    lone.raft.propose({ type: "command", data: new Uint8Array(1) });
    lone.raft.propose({ type: "command", data: new Uint8Array(1) });
    lone.world.drain(lone.node);
    const [both] = ofType(lone.sent(), "AppendEntries").filter(({ to }) => to === "n2");
    assertEquals(both?.entries.map(({ index }) => index), [2, 3]);
    lone.appendReply({ matchIndex: 3 });
    const [beat] = ofType(lone.tick(100), "AppendEntries").filter(({ to, entries }) =>
      to === "n2" && entries.length === 0
    );
    assert(beat !== undefined, "no heartbeat");
  });

  test("leaderCommit: leader's commitIndex", () => {
    const lone = new Lone();
    lone.becomeLeader();
    const [told] = ofType(lone.appendReply({ matchIndex: 1 }), "AppendEntries");
    assertEquals([told?.to, told?.leaderCommit], ["n2", 1]);
  });
});

describe("figure 2, RequestVote RPC, receiver implementation", () => {
  test("1. reply false if term < currentTerm (§5.1)", () => {
    const lone = new Lone({ hardState: { currentTerm: 3, votedFor: null, withholdMs: 0 } });
    const [reply] = ofType(lone.requestVote({ term: 2 }), "RequestVoteReply");
    assertEquals([reply?.granted, reply?.term], [false, 3]);
  });

  test("2. if votedFor is null or candidateId, and candidate's log is at least as up-to-date, grant vote (§5.2, §5.4)", () => {
    const cases = [
      { votedFor: null, last: [2, 2], granted: true },
      { votedFor: "n2", last: [2, 2], granted: true },
      { votedFor: "n3", last: [2, 2], granted: false },
      { votedFor: null, last: [3, 1], granted: false },
      { votedFor: null, last: [1, 2], granted: false },
      { votedFor: null, last: [1, 3], granted: true },
      { votedFor: null, last: [3, 2], granted: true },
    ] as const;
    for (const { votedFor, last, granted } of cases) {
      const lone = new Lone({ log: logOf(1, 2), hardState: { currentTerm: 5, votedFor, withholdMs: 0 } });
      const [lastLogIndex, lastLogTerm] = last;
      const [reply] = ofType(lone.requestVote({ term: 5, lastLogIndex, lastLogTerm }), "RequestVoteReply");
      assertEquals(reply?.granted, granted, `${votedFor}, last ${lastLogTerm}/${lastLogIndex}`);
    }
  });
});

describe("figure 2, Rules for Servers, all servers", () => {
  test("if commitIndex > lastApplied: increment lastApplied, apply log[lastApplied] to state machine (§5.3)", () => {
    const lone = new Lone();
    lone.appendEntries({ entries: logOf(1, 1, 1), leaderCommit: 3 });
    assertEquals(lone.node.applied.map(({ index }) => index), [1, 2, 3]);
  });

  test("if RPC request or response contains term T > currentTerm: set currentTerm = T, convert to follower (§5.1)", () => {
    const inputs: ((lone: Lone) => unknown)[] = [
      (lone) => lone.appendEntries({ term: 9 }),
      (lone) => lone.appendReply({ term: 9, success: false }),
      (lone) =>
        lone.receive({
          type: "RequestVoteReply",
          from: "n2",
          to: "n1",
          term: 9,
          preVote: false,
          granted: false,
        }),
    ];
    for (const [at, input] of inputs.entries()) {
      const lone = new Lone();
      if (at === 1) lone.becomeLeader();
      else lone.becomeCandidate();
      input(lone);
      assertEquals([lone.status.role, lone.status.currentTerm], ["follower", 9], `input ${at}`);
    }
    const lone = new Lone();
    lone.becomeCandidate();
    lone.requestVote({ term: 9 });
    assertEquals([lone.status.role, lone.status.currentTerm], ["follower", 9]);
  });
});

describe("figure 2, Rules for Servers, followers (§5.2)", () => {
  test("respond to RPCs from candidates and leaders", () => {
    const lone = new Lone();
    assertEquals(lone.requestVote({ term: 1 }).length, 1);
    assertEquals(lone.appendEntries({ term: 1 }).length, 1);
  });

  test("if election timeout elapses without receiving AppendEntries or granting vote: convert to candidate", () => {
    const lone = new Lone({ hardState: { currentTerm: 1, votedFor: null, withholdMs: 0 } });
    lone.appendEntries({ term: 1 });
    assertEquals(lone.tick(499), []);
    assertEquals(lone.status.role, "follower");
    assertEquals(lone.tick(501).length, 2);
    assertEquals(lone.status.role, "preCandidate");
  });

  test("granting a vote puts the election off too", () => {
    const lone = new Lone();
    lone.requestVote({ term: 1 });
    lone.tick(499);
    assertEquals(lone.status.role, "follower");
  });
});

describe("figure 2, Rules for Servers, candidates (§5.2)", () => {
  test("on conversion to candidate: increment currentTerm, vote for self, reset timer, send RequestVote to all others", () => {
    const lone = new Lone({ hardState: { currentTerm: 4, votedFor: null, withholdMs: 0 } });
    const requests = ofType(lone.becomeCandidate(), "RequestVote");
    assertEquals([lone.status.currentTerm, lone.status.votedFor], [5, "n1"]);
    assertEquals(requests.map(({ to, term, preVote }) => [to, term, preVote]), [["n2", 5, false], [
      "n3",
      5,
      false,
    ]]);
    assertEquals(lone.tick(10), []);
  });

  test("if votes received from majority of servers: become leader", () => {
    const lone = new Lone({ voters: ["n1", "n2", "n3", "n4", "n5"] });
    lone.tick(1100);
    lone.voteReply("n2");
    lone.voteReply("n3");
    lone.voteReply("n2");
    assertEquals(lone.status.role, "candidate");
    lone.voteReply("n4");
    assertEquals(lone.status.role, "leader");
  });

  test("if AppendEntries received from new leader: convert to follower", () => {
    const lone = new Lone();
    lone.becomeCandidate();
    lone.appendEntries({ term: 1 });
    assertEquals([lone.status.role, lone.status.leaderId], ["follower", "n2"]);
  });

  test("if election timeout elapses: start new election", () => {
    const lone = new Lone();
    lone.becomeCandidate();
    const requests = ofType(lone.tick(1000), "RequestVote");
    assertEquals(requests.map(({ term, preVote }) => [term, preVote]), [[2, true], [2, true]]);
  });
});

describe("figure 2, Rules for Servers, leaders", () => {
  test("upon election: send AppendEntries to each server; repeat during idle periods to prevent election timeouts (§5.2)", () => {
    const lone = new Lone();
    assertEquals(ofType(lone.becomeLeader(), "AppendEntries").map(({ to }) => to), ["n2", "n3"]);
    lone.appendReply({ matchIndex: 1 });
    lone.appendReply({ matchIndex: 1, from: "n3" });
    for (let beat = 0; beat < 3; beat++) {
      assertEquals(ofType(lone.tick(100), "AppendEntries").map(({ to }) => to), ["n2", "n3"]);
    }
  });

  test("if command received from client: append entry to local log, respond after entry applied to state machine (§5.3)", () => {
    const lone = new Lone();
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 1 });
    const proposed = lone.raft.propose({ type: "command", data: new Uint8Array(1) });
    lone.world.drain(lone.node);
    assertEquals(proposed, { ok: true, value: { index: 2, term: 1 } });
    assertEquals(lone.terms, [1, 1]);
    assertEquals(lone.node.applied.length, 1);
    lone.appendReply({ matchIndex: 2 });
    assertEquals(lone.node.applied.length, 2);
  });

  test("if last log index ≥ nextIndex for a follower: send AppendEntries with log entries starting at nextIndex (§5.3)", () => {
    const lone = new Lone({ log: logOf(1, 1, 1) });
    lone.becomeLeader();
    const reply = { success: false, prevLogIndex: 3, hintIndex: 1, hintTerm: 1 };
    const [sent] = ofType(lone.appendReply(reply), "AppendEntries");
    assertEquals([sent?.prevLogIndex, sent?.entries.map(({ index }) => index)], [1, [2, 3]]);
  });

  test("if successful: update nextIndex and matchIndex for follower (§5.3)", () => {
    const lone = new Lone({ log: logOf(1, 1) });
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 3 });
    const [n2] = lone.status.peers;
    assertEquals([n2?.matchIndex, n2?.nextIndex], [3, 4]);
  });

  test("if AppendEntries fails because of log inconsistency: decrement nextIndex and retry (§5.3)", () => {
    const lone = new Lone({ log: logOf(1, 1, 1) });
    lone.becomeLeader();
    const sent = lone.appendReply({ success: false, prevLogIndex: 3, hintIndex: 2, hintTerm: 1 });
    assertEquals(ofType(sent, "AppendEntries").map(({ prevLogIndex }) => prevLogIndex), [2]);
  });

  test("if there exists an N > commitIndex, a majority of matchIndex[i] ≥ N, and log[N].term == currentTerm: set commitIndex = N (§5.3, §5.4)", () => {
    const lone = new Lone({ log: logOf(1, 1) });
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 2 });
    assertEquals(lone.status.commitIndex, 0);
    lone.appendReply({ matchIndex: 3 });
    assertEquals(lone.status.commitIndex, 3);
  });
});
