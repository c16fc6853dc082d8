// Raft §5.1 to §5.4, §6 and §8: a test for each sentence that says what must happen.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { firstConfiguration, type ReplicaId } from "../../lib/raft/mod.ts";
import { ScriptWorld } from "../scripts/world.ts";
import { seededRandom } from "../support/random.ts";
import { logOf, Lone, ofType } from "./support.ts";

/** n1, n2, n3 … joined by a wire that works. */
function cluster(size: number, options = {}): ScriptWorld {
  const world = new ScriptWorld(options);
  const ids = Array.from({ length: size }, (_, at) => `n${at + 1}`);
  for (const id of ids) world.add(id, firstConfiguration(ids));
  return world;
}

function elect(world: ScriptWorld, id: string): void {
  world.campaign(id);
  world.stabilize();
}

function propose(world: ScriptWorld, id: string): boolean {
  const result = world.raft(id).propose({ type: "command", data: new Uint8Array(1) });
  world.drain(world.node(id));
  return result.ok;
}

describe("§5.1 basics", () => {
  test("§5.1: followers issue no requests on their own", () => {
    const lone = new Lone();
    lone.appendEntries({ entries: logOf(1) });
    for (let ms = 0; ms < 400; ms += 10) assertEquals(lone.tick(10), []);
  });

  test("§5.1: if one server's current term is smaller than the other's, it updates to the larger value", () => {
    const lone = new Lone();
    lone.appendEntries({ term: 6 });
    assertEquals(lone.status.currentTerm, 6);
  });

  test("§5.1: if a candidate or leader discovers that its term is out of date, it immediately reverts to follower state", () => {
    const lone = new Lone();
    lone.becomeLeader();
    lone.appendReply({ term: 2, success: false });
    assertEquals(lone.status.role, "follower");
  });

  test("§5.1: if a server receives a request with a stale term number, it rejects the request", () => {
    const lone = new Lone({ hardState: { currentTerm: 4, votedFor: null, withholdMs: 0 } });
    const vote = ofType(lone.requestVote({ term: 3 }), "RequestVoteReply")[0];
    const append = ofType(lone.appendEntries({ term: 3 }), "AppendEntriesReply")[0];
    assertEquals([vote?.granted, append?.success], [false, false]);
  });

  test("§5.3: entries that a later leader cut off in the same turn, before they were durable, are not acknowledged", () => {
    const lone = new Lone();
    const append = (from: ReplicaId, term: number, ...terms: number[]) =>
      lone.raft.step({
        type: "message",
        now: lone.node.now,
        message: {
          ...{ type: "AppendEntries", from, to: "n1", term, entries: logOf(...terms), prevLogIndex: 0 },
          ...{ prevLogTerm: 0, leaderCommit: 0, round: 1, echo: 0, confirmedAgeMs: -1, withholdMs: 500 },
        },
      });
    append("n2", 1, 1, 1);
    append("n3", 2, 2);
    lone.world.drain(lone.node);
    const replies = ofType(lone.sent(), "AppendEntriesReply");
    assertEquals(replies.map(({ to, term, matchIndex }) => [to, term, matchIndex]), [["n3", 2, 1]]);
  });
});

describe("§5.2 leader election", () => {
  test("§5.2: when servers start up, they begin as followers", () => {
    assertEquals(new Lone().status.role, "follower");
    assertEquals(new Lone({ log: logOf(1, 2) }).status.role, "follower");
  });

  test("§5.2: a server remains in follower state as long as it receives valid RPCs from a leader", () => {
    const lone = new Lone();
    for (let beat = 0; beat < 30; beat++) {
      lone.appendEntries({ term: 1 });
      lone.tick(400);
      assertEquals(lone.status.role, "follower");
    }
  });

  test("§5.2: each server will vote for at most one candidate in a given term, on a first-come-first-served basis", () => {
    const lone = new Lone();
    const answers = ["n2", "n3", "n2"].map((from) =>
      ofType(lone.requestVote({ from }), "RequestVoteReply")[0]?.granted
    );
    assertEquals(answers, [true, false, true]);
  });

  test("§5.2: a candidate wins if it receives votes from a majority in the full cluster for the same term", () => {
    const lone = new Lone();
    lone.becomeCandidate();
    lone.voteReply("n2", { term: 0 });
    assertEquals(lone.status.role, "candidate");
    lone.voteReply("n2");
    assertEquals(lone.status.role, "leader");
  });

  test("§5.2: the majority rule ensures that at most one candidate can win a particular term", () => {
    for (const size of [1, 2, 3, 4, 5, 6, 7]) {
      const world = cluster(size);
      elect(world, "n1");
      const leaders = [...world.nodes.values()].filter(({ raft }) => raft?.status().role === "leader");
      assertEquals(leaders.map(({ id }) => id), ["n1"], `${size} servers`);
    }
  });

  test("§5.2: once a candidate wins, it sends heartbeats to all other servers to establish its authority", () => {
    const lone = new Lone();
    assertEquals(ofType(lone.becomeLeader(), "AppendEntries").map(({ to }) => to), ["n2", "n3"]);
  });

  test("§5.2: if the leader's term is at least as large as the candidate's, the candidate recognizes it and returns to follower", () => {
    const lone = new Lone();
    lone.becomeCandidate();
    lone.appendEntries({ term: 1, from: "n3" });
    assertEquals([lone.status.role, lone.status.leaderId], ["follower", "n3"]);
  });

  test("§5.2: if the term is smaller, the candidate rejects the RPC and continues in candidate state", () => {
    const lone = new Lone({ hardState: { currentTerm: 3, votedFor: null, withholdMs: 0 } });
    lone.becomeCandidate();
    const [reply] = ofType(lone.appendEntries({ term: 3 }), "AppendEntriesReply");
    assertEquals([reply?.success, lone.status.role], [false, "candidate"]);
  });

  test("§5.2: if votes are split, each candidate times out and starts a new election", () => {
    const lone = new Lone();
    lone.becomeCandidate();
    lone.voteReply("n2", { granted: false });
    lone.voteReply("n3", { granted: false });
    lone.tick(1000);
    assertEquals(lone.status.role, "preCandidate");
  });

  test("§5.2: election timeouts are chosen randomly from a fixed interval", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 50; seed++) {
      const lone = new Lone({
        hardState: { currentTerm: 1, votedFor: null, withholdMs: 0 },
        options: { random: seededRandom(seed) },
      });
      lone.appendEntries({ term: 1 });
      let waited = 0;
      for (; lone.status.role === "follower"; waited += 10) lone.tick(10);
      assert(waited >= 500 && waited <= 1010, `${waited} ms`);
      seen.add(waited);
    }
    assert(seen.size > 15, `only ${seen.size} different timeouts`);
  });
});

describe("§5.3 log replication", () => {
  test("§5.3: the leader appends the command to its log, then issues AppendEntries in parallel to each of the others", () => {
    const world = cluster(3);
    elect(world, "n1");
    propose(world, "n1");
    assertEquals(world.wire.map(({ message }) => `${message.type} ${message.to}`), [
      "AppendEntries n2",
      "AppendEntries n3",
    ]);
  });

  test("§5.3: if followers crash or run slowly, the leader retries AppendEntries indefinitely", () => {
    const world = cluster(3);
    elect(world, "n1");
    world.crash("n3");
    propose(world, "n1");
    world.wait(20_000);
    world.start(world.node("n3"));
    world.wait(300);
    assertEquals(world.raft("n3").status().lastApplied, 2);
  });

  test("§5.3: a log entry is committed once the leader that created it has replicated it on a majority", () => {
    const world = cluster(5);
    elect(world, "n1");
    world.partition([["n1", "n2"], ["n3", "n4", "n5"]]);
    propose(world, "n1");
    world.stabilize();
    assertEquals(world.raft("n1").status().commitIndex, 1);
    world.partition([["n1", "n2", "n3"], ["n4", "n5"]]);
    world.wait(200);
    assertEquals(world.raft("n1").status().commitIndex, 2);
  });

  test("§5.3: this also commits all preceding entries, including those created by previous leaders", () => {
    const lone = new Lone({ log: logOf(1, 2) });
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 3 });
    assertEquals(lone.node.applied.map(({ index }) => index), [1, 2, 3]);
  });

  test("§5.3: once a follower learns that an entry is committed, it applies it in log order", () => {
    const lone = new Lone();
    lone.appendEntries({ entries: logOf(1, 1) });
    assertEquals(lone.node.applied, []);
    lone.appendEntries({ prevLogIndex: 2, prevLogTerm: 1, leaderCommit: 2 });
    assertEquals(lone.node.applied.map(({ index }) => index), [1, 2]);
  });

  test("§5.3: the leader forces the followers' logs to duplicate its own; conflicting entries are overwritten (figure 7)", () => {
    const figure7 = [
      [1, 1, 1, 4, 4, 5, 5, 6, 6],
      [1, 1, 1, 4],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
      [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7],
      [1, 1, 1, 4, 4, 4, 4],
      [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
    ];
    for (const terms of figure7) {
      const world = new ScriptWorld();
      const hardState = { currentTerm: 7, votedFor: null, withholdMs: 0 };
      const voters = firstConfiguration(["n1", "n2", "n3"]);
      world.add("n1", voters, logOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6), hardState);
      world.add("n2", voters, logOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6), hardState);
      world.add("n3", voters, logOf(...terms), hardState);
      world.partition([["n1", "n2"], ["n3"]]);
      elect(world, "n1");
      world.heal();
      world.wait(300);
      assertEquals(world.node("n3").disk.entries.map(({ term }) => term), [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8]);
    }
  });

  test("§5.3: one rejection per conflicting term rather than one per entry", () => {
    const lone = new Lone({ log: logOf(1, 1, 5, 5, 5, 5, 5) });
    const [reply] = ofType(
      lone.appendEntries({ term: 6, prevLogIndex: 7, prevLogTerm: 3 }),
      "AppendEntriesReply",
    );
    assertEquals([reply?.hintIndex, reply?.hintTerm], [2, 1]);
  });

  test("§5.3: a leader never overwrites or deletes entries in its own log", () => {
    const lone = new Lone({ log: logOf(1, 1) });
    lone.becomeLeader();
    assertThrows(
      () => lone.appendEntries({ term: 2, from: "n3", entries: logOf(2) }),
      Error,
      "election safety",
    );
    assertEquals(lone.terms, [1, 1, 2]);
  });
});

describe("§5.4 safety", () => {
  test("§5.4.1: the voter denies its vote if its own log is more up-to-date than that of the candidate", () => {
    const lone = new Lone({ log: logOf(1, 3) });
    const granted = ([lastLogTerm, lastLogIndex]: [number, number]) =>
      ofType(
        lone.requestVote({ term: lone.status.currentTerm + 1, lastLogIndex, lastLogTerm }),
        "RequestVoteReply",
      )[0]?.granted;
    assertEquals(granted([2, 9]), false);
    assertEquals(granted([3, 1]), false);
    assertEquals(granted([3, 2]), true);
    assertEquals(granted([4, 1]), true);
  });

  test("§5.4.2: Raft never commits log entries from previous terms by counting replicas", () => {
    const lone = new Lone({ log: logOf(1, 2) });
    lone.becomeLeader();
    lone.appendReply({ matchIndex: 2 });
    lone.appendReply({ matchIndex: 2, from: "n3" });
    assertEquals(lone.status.commitIndex, 0);
  });

  test("§5.5: Raft RPCs are idempotent", () => {
    const lone = new Lone();
    lone.appendEntries({ entries: logOf(1, 1), leaderCommit: 1 });
    const once = lone.status;
    lone.appendEntries({ entries: logOf(1, 1), leaderCommit: 1 });
    assertEquals(lone.status, once);
  });
});

describe("§6 membership", () => {
  const change = (world: ScriptWorld, id: string, voters: string[]) => {
    const result = world.raft(id).propose({ type: "configuration", voters, learners: [] });
    world.drain(world.node(id));
    return result;
  };
  function withSpares(): ScriptWorld {
    const world = new ScriptWorld();
    for (const id of ["n1", "n2", "n3", "n4", "n5"]) world.add(id, firstConfiguration(["n1", "n2", "n3"]));
    elect(world, "n1");
    return world;
  }

  test("§6: log entries are replicated to all servers in both configurations", () => {
    const world = withSpares();
    change(world, "n1", ["n1", "n4", "n5"]);
    assertEquals(world.raft("n1").status().peers.map(({ id }) => id).sort(), ["n2", "n3", "n4", "n5"]);
  });

  test("§6: once a given server adds the new configuration entry to its log, it uses it for all future decisions", () => {
    const world = withSpares();
    change(world, "n1", ["n1", "n4", "n5"]);
    assertEquals(world.raft("n1").status().configuration.index, 2);
    assert(world.raft("n1").status().configurationUncommitted);
  });

  test("§6: agreement requires separate majorities from both the old and new configurations", () => {
    const world = withSpares();
    world.partition([["n1", "n2", "n3"], ["n4", "n5"]]);
    change(world, "n1", ["n1", "n4", "n5"]);
    world.stabilize();
    assertEquals(world.raft("n1").status().commitIndex, 1);
  });

  test("§6: once C_old,new has been committed the leader creates C_new", () => {
    const world = withSpares();
    change(world, "n1", ["n1", "n4", "n5"]);
    world.stabilize();
    assertEquals(world.raft("n1").status().configuration.configuration, {
      voters: ["n1", "n4", "n5"],
      outgoing: [],
      learners: [],
    });
  });

  test("§6: the leader steps down once it has committed C_new, if it is not part of it", () => {
    const world = withSpares();
    change(world, "n1", ["n2", "n3", "n4"]);
    world.stabilize();
    assertEquals(world.raft("n1").status().role, "follower");
  });

  test("§6: servers disregard RequestVote RPCs when they believe a current leader exists", () => {
    const lone = new Lone();
    lone.appendEntries({ term: 1 });
    assertEquals(lone.requestVote({ term: 9, from: "n3" }), []);
    assertEquals(lone.status.currentTerm, 1);
    lone.tick(499);
    assertEquals(lone.requestVote({ term: 9, from: "n3" }), []);
    lone.tick(1);
    assertEquals(lone.requestVote({ term: 9, from: "n3" }).length, 1);
  });
});

describe("§8 client interaction", () => {
  test("§8: each leader commits a blank no-op entry into the log at the start of its term", () => {
    const world = cluster(3);
    elect(world, "n1");
    assertEquals(world.node("n1").disk.entries.map(({ type }) => type), ["noop"]);
    assertEquals(world.raft("n1").status().commitIndex, 1);
  });

  test("§8: a leader checks whether it has been deposed before processing a read-only request", () => {
    const world = cluster(3);
    elect(world, "n1");
    world.partition([["n1"], ["n2", "n3"]]);
    assert(world.read("n1", 1).ok);
    world.drain(world.node("n1"));
    world.wait(900);
    assert(world.trace.includes("n1 read 1 refused"));
  });
});
