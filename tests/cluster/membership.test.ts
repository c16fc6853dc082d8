// Members of real clusters come, go, lose their disks and move, while clients write.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import type { NodeProcess } from "../support/node-process.ts";
import { type Fleet, withFleet } from "./fleet.ts";

const timeoutMs = 60_000;

/** Writes one key after the other at the nodes in turn until stopped; what failed and was not retriable is a failure. */
function load(
  nodes: () => readonly NodeProcess[],
): { stop(): Promise<{ written: ReadonlyMap<string, string>; bad: string[] }> } {
  let stopping = false;
  const bad: string[] = [];
  const written = new Map<string, string>();
  const worker = async (name: string) => {
    for (let at = 0; !stopping; at++) {
      const all = nodes();
      const node = all[at % all.length];
      if (node === undefined) break;
      const key = `load/${name}/${at}`;
      try {
        const response = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: `${name}${at}` });
        const detail = await response.text();
        if (response.ok) written.set(key, `${name}${at}`);
        else if (response.status !== 503) bad.push(`${node.id} ${response.status} ${detail}`);
      } catch (error) {
        // Refused, nothing was sent. Anything else leaves the write open, and nobody here kills a process under it.
        const code = error instanceof Error && "code" in error ? error.code : error;
        if (code !== "ConnectionRefused") bad.push(`${node.id} ${code}`);
      }
    }
  };
  const workers = [worker("a"), worker("b"), worker("c")];
  return {
    async stop() {
      stopping = true;
      await Promise.all(workers);
      return { written, bad };
    },
  };
}

async function joined(fleet: Fleet, id: string, member: NodeProcess, more: readonly string[] = []) {
  const node = await fleet.start(id, ["--join", member.url, ...more]);
  await node.ready();
  return node;
}

/** Where a change of the members stands when its leader is killed. */
type Stage = "asked" | "C_old,new" | "C_new" | "done";
const four = ["n1", "n2", "n3", "n4"];
const five = [...four, "n5"];

/** n5 gives up its vote or gets it back; the leader is killed once its log has got as far as `stage`. */
async function changeUntil(fleet: Fleet, stage: Stage) {
  for (;;) {
    const leader = await eventually(async () => {
      const leading = await fleet.leader();
      const { members } = await fleet.view(leading);
      if (!members.every(({ lastContactMs }) => lastContactMs !== null && lastContactMs < 400)) return null;
      // Who is to give up its vote would hand over first.
      return leading.id === "n5" ? void await fleet.run(leading, "transfer", "n1") : leading;
    }, { what: "another than n5 leads, and hears all" });
    const others = fleet.running.filter((node) => node !== leader);
    const before = (await fleet.view(leader)).configuration;
    const voters = before.voters.includes("n5") ? four : five;
    const body = JSON.stringify({ voters, learners: voters === four ? ["n5"] : [] });
    // Without the others C_old,new is not committed; the leader steps down soon, and goes by it all the same.
    if (stage === "C_old,new") { for (const node of others) node.pause(); }
    const change = leader.fetch("/v1/cluster/configuration", { method: "PUT", body }).catch(() => null);
    const there = stage === "asked" || stage === "done" && (await change)?.ok === true ||
      stage !== "done" && await reached(fleet, leader, stage, before.index ?? 0);
    if (there) await leader.kill();
    for (const node of others) node.resume();
    await change;
    if (there) return { leader, body, voters };
  }
}

/** Whether the leader, looked at as often as possible, was seen at that stage within a second. */
async function reached(fleet: Fleet, leader: NodeProcess, stage: Stage, before: number): Promise<boolean> {
  const deadline = performance.now() + 1000;
  while (performance.now() < deadline) {
    const { joint, index } = (await fleet.view(leader)).configuration;
    if (index !== null && index > before && joint === (stage === "C_old,new")) return true;
  }
  return false;
}

describe("members of real clusters", () => {
  test("one, three, five, three: two join at once, people remove, a removed one says so", async () => {
    await withFleet(async (fleet) => {
      const n1 = await fleet.start("n1");
      await n1.ready();
      await fleet.put(n1, "a", "1");
      await Promise.all(["n2", "n3"].map((id) => joined(fleet, id, n1)));
      await fleet.voters(n1, ["n1", "n2", "n3"]);
      await Promise.all(["n4", "n5"].map((id) => joined(fleet, id, fleet.node("n3"))));
      await fleet.voters(n1, ["n1", "n2", "n3", "n4", "n5"]);
      for (const node of fleet.running) {
        const response = await node.fetch("/v1/kv/a");
        assertEquals(await response.text(), "1");
      }
      await fleet.run(fleet.node("n4"), "remove", "n1");
      await fleet.run(fleet.node("n4"), "remove", "n5");
      const n2 = fleet.node("n2");
      await fleet.voters(n2, ["n2", "n3", "n4"]);
      await eventually(async () => (await (await n1.fetch("/readyz")).text()).includes("removed"), {
        what: "n1 says that it was removed",
      });
      await fleet.put(n2, "a", "2");
      // Started again it ends with a plain message; --rejoin enters anew.
      await n1.stop();
      const again = await runCoracle(["serve", "--id", "n1", "--port", "0", "--data", fleet.data("n1")]);
      assertEquals(again.code, 1);
      assertMatch(again.stderr, /was removed from its cluster: start it with --rejoin and --join/);
      await joined(fleet, "n1", n2, ["--rejoin"]);
      await fleet.voters(n2, ["n1", "n2", "n3", "n4"]);
      const status = await fleet.run(fleet.node("n1"), "status");
      assertMatch(status, /4 voters, majority 3/);
      await fleet.run(n2, "transfer", "n3");
      await eventually(async () => (await fleet.view(n2)).leader === "n3", { what: "n3 leads" });
    });
  }, timeoutMs);

  test(
    "each of three is replaced in turn under load; every write that failed may be sent again",
    async () => {
      await withFleet(async (fleet) => {
        await fleet.form(3);
        let serving = fleet.running;
        const writers = load(() => serving);
        for (const [old, by] of [["n1", "n4"], ["n2", "n5"], ["n3", "n6"]] as const) {
          const member = fleet.node(by === "n6" ? "n4" : "n3");
          const entered = await joined(fleet, by, member, ["--role", "learner"]);
          await fleet.run(member, "replace", old, by);
          await eventually(async () => !(await fleet.view(entered)).configuration.voters.includes(old), {
            what: `${old} is out`,
          });
          serving = fleet.running.filter((node) => node.id !== old);
          await fleet.node(old).stop();
        }
        const { written, bad } = await writers.stop();
        assertEquals(bad, []);
        assert(written.size > 50, `${written.size} writes`);
        for (const id of ["n4", "n5", "n6"]) {
          for (const [key, value] of written) {
            assertEquals(
              await (await fleet.node(id).fetch(`/v1/kv/${key}`)).text(),
              value,
              `${key} at ${id}`,
            );
          }
        }
        await fleet.voters(fleet.node("n5"), ["n4", "n5", "n6"]);
      });
    },
    timeoutMs,
  );

  test(
    "the leader is killed at one stage after another of a joint change: it is done, or it is not",
    async () => {
      await withFleet(async (fleet) => {
        await fleet.form(3);
        for (const id of ["n4", "n5"]) await joined(fleet, id, fleet.node("n1"));
        await fleet.voters(fleet.node("n1"), ["n1", "n2", "n3", "n4", "n5"]);
        const stages: Stage[] = ["asked", "C_old,new", "C_new", "done"];
        for (const [at, stage] of [...stages, ...stages].entries()) {
          const { leader, body, voters } = await changeUntil(fleet, stage);
          const next = await fleet.leader();
          await eventually(async () => !(await fleet.view(next)).configuration.joint, {
            what: "no joint phase",
          });
          await fleet.put(next, `round/${at}`, "x");
          const { configuration } = await fleet.view(next);
          assert([four, five].some((set) => set.join() === [...configuration.voters].sort().join()));
          await leader.start();
          await leader.ready();
          // Whatever became of it, the same change is possible now, and the next round begins from it.
          await eventually(async () => {
            const there = await fleet.leader();
            return (await there.fetch("/v1/cluster/configuration", { method: "PUT", body })).ok;
          }, { what: "the change is done in the end" });
          await fleet.voters(leader, voters);
        }
      });
    },
    timeoutMs,
  );

  test("a wiped disk and a corrupt log come back as new incarnations, by themselves", async () => {
    await withFleet(async (fleet) => {
      const [, n2, n3] = await fleet.form(3);
      assert(n2 !== undefined && n3 !== undefined);
      await fleet.put(n2, "a", "1");
      const before = await fleet.view(n2);
      const incarnation = (view: typeof before, id: string) =>
        view.members.filter((member) => member.id === id).map((member) => member.incarnation).join();
      await n3.kill();
      await rm(fleet.data("n3"), { recursive: true });
      await n3.start();
      await n3.ready();
      await eventually(async () => {
        const now = incarnation(await fleet.view(n2), "n3");
        return now !== incarnation(before, "n3") && !now.includes(",");
      }, { what: "n3 has one new incarnation" });
      await n3.kill();
      const log = Bun.file(`${fleet.data("n3")}/log.sqlite-wal`);
      const path = (await log.exists()) && log.size > 5000 ? log : Bun.file(`${fleet.data("n3")}/log.sqlite`);
      const bytes = await path.bytes();
      bytes.fill(0x5a, 4200, 4400);
      await Bun.write(path, bytes);
      await n3.start();
      await n3.ready();
      assert((await readdir(fleet.data("n3"))).some((name) => name.includes("corrupt")));
      await fleet.voters(n2, ["n1", "n2", "n3"]);
      assertEquals(await (await n3.fetch("/v1/kv/a")).text(), "1");
    });
  }, timeoutMs);

  test("one moves to another port and is found; all move at once, each told of one other", async () => {
    await withFleet(async (fleet) => {
      const [, n2] = await fleet.form(3);
      assert(n2 !== undefined);
      await fleet.put(fleet.node("n1"), "a", "1");
      // Nothing but its data folder: it remembers where the others are.
      await eventually(() => n2.logLines.some(({ message }) => message.includes("remembers where")), {
        what: "n2 has written down where the others are",
      });
      await n2.stop();
      const began = performance.now();
      const moved = await fleet.start("n2");
      await moved.ready(10_000);
      await eventually(async () => {
        const view = await fleet.view(fleet.node("n1"));
        return view.members.find(({ id }) => id === "n2")?.url === moved.url;
      }, { what: "n1 knows where n2 is" });
      console.log(`moved: found after ${Math.round(performance.now() - began)} ms`);
      await fleet.killAll();
      const ids = ["n1", "n2", "n3"];
      const nodes = ids.map((id) => fleet.make(id));
      await Promise.all(nodes.map((node, at) => node.start(["--join", nodes[(at + 1) % 3]?.url ?? ""])));
      await Promise.all(nodes.map((node) => node.ready()));
      assertEquals(await (await fleet.node("n3").fetch("/v1/kv/a")).text(), "1");
    });
  }, timeoutMs);

  test("a member that nobody has heard of keeps no other from remembering where the rest is", async () => {
    await withFleet(async (fleet) => {
      const [n1, n2, n3] = await fleet.form(3);
      assert(n1 !== undefined && n2 !== undefined && n3 !== undefined);
      await n3.kill();
      for (const node of [n1, n2]) {
        await node.kill();
        await node.start();
      }
      await fleet.put(n1, "a", "1");
      const n4 = await joined(fleet, "n4", n2);
      await fleet.voters(n1, ["n1", "n2", "n3", "n4"]);
      // Nobody heard n3 say anything, and everybody tells everybody that it is not there.
      await eventually(async () => {
        const { members } = await fleet.view(n4);
        const of = (id: string) => members.find((member) => member.id === id);
        assertEquals([...of("n3")?.unreachableFrom ?? []].sort(), ["n1", "n2", "n4"]);
        assertEquals([of("n1")?.unreachableFrom, of("n3")?.gossipAgeMs], [[], undefined]);
        return (of("n1")?.gossipAgeMs ?? Infinity) < 15_000;
      }, { what: "n4 knows from whom n3 is unreachable" });
      await eventually(
        () => n4.logLines.some(({ message }) => message === "remembers where the other members are"),
        { what: "n4 has written down where the others are" },
      );
      await n4.kill();
      // On another port, and told of nobody.
      const again = await fleet.start("n4");
      await again.ready();
    });
  }, timeoutMs);

  test("--leave-on-exit, an id that is taken, another cluster", async () => {
    await withFleet(async (fleet) => {
      const [n1, n2] = await fleet.form(3);
      assert(n1 !== undefined && n2 !== undefined);
      const n4 = await joined(fleet, "n4", n1, ["--leave-on-exit"]);
      await fleet.voters(n1, ["n1", "n2", "n3", "n4"]);
      assertEquals(await n4.stop(), 0);
      await fleet.voters(n1, ["n1", "n2", "n3"]);

      const twin = fleet.make("n2-twin", ["--id", "n2", "--join", n1.url]);
      await twin.start();
      await eventually(async () => {
        const { node } = await fleet.view(twin);
        return node?.phase === "joining" && node.waitingFor?.includes("calls itself n2 already") === true;
      }, { what: "the twin is told that its id is taken" });
      await twin.kill();

      const lone = await fleet.start("lone");
      await lone.ready();
      await lone.stop();
      const stranger = fleet.make("lone", ["--join", n1.url]);
      await stranger.start();
      await eventually(() => stranger.logLines.some(({ message }) => /belongs to cluster/.test(message)), {
        what: "the member of another cluster is told so",
      });
      assertEquals((await fleet.view(n1)).configuration.voters.length, 3);
    });
  }, timeoutMs);

  test("--remove-dead-after: one of four that stays away is removed, of three nobody is", async () => {
    const places = (ids: readonly string[]) =>
      freePorts(ids.length).map((port) => ({ port, flags: ["--remove-dead-after", "1.5s"] }));
    await withFleet(async (fleet) => {
      await fleet.form(4);
      await fleet.node("n4").kill();
      const survivors = fleet.running;
      const [n1, n2] = survivors;
      assert(n1 !== undefined && n2 !== undefined);
      await fleet.voters(n1, ["n1", "n2", "n3"]);
      assert(
        survivors.some((node) => node.logLines.some(({ message }) => /n4.* dead for too long/.test(message))),
      );
      await n2.kill();
      const dead = async () => {
        const { members } = await fleet.view(await fleet.leader());
        return (members.find(({ id }) => id === "n2")?.lastContactMs ?? 0) > 4_000;
      };
      await eventually(dead, { what: "n2 is dead for much longer than that" });
      await fleet.voters(n1, ["n1", "n2", "n3"]);
    }, places);
  }, timeoutMs);
});
