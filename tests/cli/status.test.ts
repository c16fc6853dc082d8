// The screen of `coracle status`, out of what GET /v1/cluster may say.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { screen } from "../../lib/cli/status.ts";
import type { Cluster } from "../../lib/client/mod.ts";

const noon = Date.UTC(2026, 0, 2, 12, 0, 0);

type Member = Cluster["members"][number];

function member(id: string, more: Partial<Member> = {}): Member {
  const known = { region: null, incarnation: "a", matchIndex: 9, lastContactMs: 40, version: "1.2.3" };
  return { id, url: `http://${id}:8080`, role: "voter", healthy: true, lag: 0, ...known, ...more };
}

function cluster(members: readonly Member[], more: Partial<Cluster> = {}): Cluster {
  const ids = (role: string) => members.filter((one) => one.role === role).map(({ id }) => id);
  const configuration = { index: 5, joint: false, voters: ids("voter"), learners: ids("learner") };
  return {
    clusterId: "c1",
    term: 3,
    leader: "n1",
    revision: 9,
    configuration,
    members: [...members],
    ...more,
  };
}

/** The line of a node, columns apart. */
function line(text: string, id: string): string[] {
  return text.split("\n").find((one) => one.startsWith(`${id} `))?.split(/ {2,}/) ?? [];
}

describe("the screen", () => {
  test("a quiet cluster: one head, one line each, nothing else", () => {
    const text = screen(cluster([member("n1"), member("n2", { lag: 3 }), member("n3", { lag: 5000 })]), noon);
    assertEquals(text.split("\n").length, 6);
    assertMatch(text, /^cluster c1 · leader n1 · term 3 · revision 9 · 3 voters, majority 2\n\nNODE /);
    assertEquals(line(text, "n1"), ["n1", "leader", "http://n1:8080", "ok", "1.2.3"]);
    assertEquals(line(text, "n2")[3], "ok, 3 behind");
    assertEquals(line(text, "n3")[3], "behind by 5000 entries");
  });

  test("the unreachable always have a since, and their version", () => {
    const text = screen(
      cluster([
        member("n1"),
        member("n2", { healthy: false, lag: null, lastContactMs: 90_000 }),
        member("n3", { healthy: false, lag: null, lastContactMs: null, watchedMs: 12_000 }),
        member("n4", { healthy: false, lag: null, lastContactMs: 500 }),
        member("n5", { healthy: true, lastContactMs: 2500 }),
      ]),
      noon,
    );
    assertEquals(line(text, "n2").slice(3), ["UNREACHABLE for 90 s (since 11:58:30 UTC)", "1.2.3"]);
    assertEquals(line(text, "n3")[3], "UNREACHABLE for 12 s or more (since before 11:59:48 UTC)");
    assertEquals(line(text, "n4")[3], "UNREACHABLE for 1 s (since 11:59:59 UTC)");
    assertMatch(line(text, "n5")[3] ?? "", /^UNREACHABLE for 3 s/);
  });

  test("a joint phase: from what to what, who leaves, what waits, who asks", () => {
    const members = [member("n1"), member("n3"), member("n4"), member("n2", { leaving: true })];
    const voters = ["n1", "n3", "n4"];
    const configuration = { index: 8, joint: true, voters, outgoing: ["n1", "n2", "n3"], learners: [] };
    const text = screen(
      cluster(members, {
        configuration,
        changes: [
          { what: "remove n2", begun: true, why: "" },
          { what: "remove n3", begun: false, why: "another change of the members is running" },
        ],
        applicants: [
          { id: "n4", role: "voter", refused: true, why: "a living member calls itself n4 already" },
          { id: "n5", role: "learner", refused: false, why: "a change of the members is under way" },
        ],
      }),
      noon,
    );
    assertMatch(text, /· joint: 3 voters, majority 2, and 3 voters, majority 2\n/);
    assertEquals(line(text, "n2")[3], "ok, leaving");
    assertEquals(text.split("\n").slice(-5), [
      "a change is running: voters n1, n2, n3 → n1, n3, n4",
      "a change is running: remove n2",
      "a change waits: remove n3 (another change of the members is running)",
      "n4 asks to be let in as a voter: refused: a living member calls itself n4 already",
      "n5 asks to be let in as a learner: a change of the members is under way",
    ]);
  });

  test("a learner that is brought up, and one that cannot keep up", () => {
    const slow = "cannot keep up with what is written: round 12, 90000 entries behind";
    const text = screen(
      cluster([
        member("n1"),
        member("n4", {
          role: "learner",
          lag: 900,
          bringUp: "is being brought up: round 1, 900 entries behind",
        }),
        member("n5", { role: "learner", lag: 90_000, bringUp: slow }),
      ]),
      noon,
    );
    assertEquals(line(text, "n4").slice(1, 4), [
      ...["learner", "http://n4:8080", "is being brought up: round 1, 900 entries behind"],
    ]);
    assertEquals(line(text, "n5")[3], slow);
    assertMatch(text, /1 voters, majority 1/);
  });

  test("what others are called cannot bend the terminal", () => {
    const text = screen(
      cluster([member("n1")], { changes: [{ what: "add \x1b[31m", begun: false, why: "" }] }),
      noon,
    );
    assert(!text.includes("\x1b"));
  });
});
