// Data folders that are not what peers remember, and nodes that must not be who they say: on real processes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { type NodeProcess, StartFailed } from "../support/node-process.ts";
import { type Fleet, withFleet } from "./fleet.ts";

const timeoutMs = 60_000;

async function copyFolder(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true });
}

/** Starts it; returns what it says when it refuses to, null when it runs. */
async function refusal(node: NodeProcess, flags: readonly string[] = []): Promise<string | null> {
  try {
    await node.start(flags);
    return null;
  } catch (error) {
    if (error instanceof StartFailed) return error.message;
    throw error;
  }
}

function said(node: NodeProcess, since: number, what: RegExp): boolean {
  return node.logLines.slice(since).some(({ message }) => what.test(message));
}

async function readyz(node: NodeProcess): Promise<string> {
  return await (await node.fetch("/readyz")).text();
}

/** n1, n2, n3 with something written, and a stopped n3 of which a copy was taken at its first start. */
async function withCopy(fleet: Fleet): Promise<{ n1: NodeProcess; n3: NodeProcess; copy: string }> {
  const [n1, , n3] = await fleet.form(3);
  assert(n1 !== undefined && n3 !== undefined);
  await fleet.put(n1, "a", "1");
  assertEquals(await n3.stop(), 0);
  const copy = fleet.data("n3-kept");
  await copyFolder(fleet.data("n3"), copy);
  return { n1, n3, copy };
}

describe("data folders that are old or copied", () => {
  test("rolled back: however often it is started, it is never linked, and says what to do", async () => {
    await withFleet(async (fleet) => {
      const { n1, n3, copy } = await withCopy(fleet);
      for (const key of ["b", "c"]) {
        await n3.start();
        await n3.ready();
        await fleet.put(n1, key, "1");
        await n3.kill();
      }
      await copyFolder(copy, fleet.data("n3"));
      const since = n3.logLines.length;
      // As a supervisor would: again and again.
      await n3.start();
      await eventually(async () => (await readyz(n3)).includes("--rejoin"), { what: "n3 says what to do" });
      const { node } = await fleet.view(n3);
      assertEquals(node?.phase, "refused");
      assertMatch(node?.waitingFor ?? "", /start 2.*start 3 was seen already/);
      await n3.kill();
      for (let again = 0; again < 4; again++) {
        assertMatch(await refusal(n3) ?? "", /exit code 1\b[^]*old copy[^]*--rejoin/);
      }
      assertEquals(said(n3, since, /^linked to|leader n\d/), false);
      // Told so it gives up who it was, and enters as another replica.
      await n3.start(["--rejoin"]);
      await n3.ready();
      await fleet.voters(n1, ["n1", "n2", "n3"]);
    });
  }, timeoutMs);

  test(
    "copied while it runs: the copy goes on from its last start, and is found out by the living original",
    async () => {
      await withFleet(async (fleet) => {
        const [n1, , n3] = await fleet.form(3);
        assert(n1 !== undefined && n3 !== undefined);
        await fleet.put(n1, "a", "1");
        n3.pause();
        await copyFolder(fleet.data("n3"), fleet.data("n3-kept"));
        n3.resume();
        await n3.ready();
        const since = n3.logLines.length;
        const twin = fleet.make("n3-copy", ["--id", "n3", "--join", n1.url]);
        assertEquals(await copyAndStart(fleet.data("n3-kept"), fleet.data("n3-copy"), twin), null);
        await eventually(async () => (await fleet.view(twin)).node?.phase === "refused", {
          what: "the copy knows what it is",
        });
        await twin.kill();
        assertMatch(
          await refusal(twin) ?? "",
          /n3 runs at http:\/\/.* \(start 1\), and another process shows start 2/,
        );
        assertEquals(said(twin, 0, /^linked to/), false);
        assertEquals(said(n3, since, /^lost |refuses this node for good/), false);
        // With --rejoin it gives up who it was when it is told, in the same process; but the id has a living owner.
        await copyFolder(fleet.data("n3-kept"), fleet.data("n3-copy"));
        const second = twin.logLines.length;
        await twin.start(["--rejoin"]);
        assertEquals(await twin.ended(), 1);
        assert(said(twin, second, /the data folder is set aside/));
        assert(said(twin, second, /^coracle: a living member calls itself n3 already/));
        await n3.ready();
      });
    },
    timeoutMs,
  );

  test("copied, and both alive: the copy is never linked, the original stays", async () => {
    await withFleet(async (fleet) => {
      const { n1, n3, copy } = await withCopy(fleet);
      await n3.start();
      await n3.ready();
      const twin = fleet.make("n3-copy", ["--id", "n3", "--join", n1.url]);
      await eventually(() => n3.logLines.filter(({ message }) => /^linked to/.test(message)).length >= 4, {
        what: "the original is linked to both",
      });
      const since = n3.logLines.length;
      assertEquals(await copyAndStart(copy, fleet.data("n3-copy"), twin), null);
      await eventually(async () => (await fleet.view(twin)).node?.phase === "refused", {
        what: "the copy knows what it is",
      });
      await twin.kill();
      assertMatch(await refusal(twin) ?? "", /two processes show the same start[^]*--rejoin/);
      assertEquals(said(twin, 0, /^linked to/), false);
      assertEquals(said(n3, since, /^lost /), false);
      await n3.ready();
    });
  }, timeoutMs);
});

/** A damage that the checks of the log find. */
async function damageLog(folder: string): Promise<void> {
  const wal = Bun.file(join(folder, "log.sqlite-wal"));
  const file = await wal.exists() && wal.size > 5000 ? wal : Bun.file(join(folder, "log.sqlite"));
  const bytes = await file.bytes();
  bytes.fill(0x5a, 4200, file === wal ? 4400 : undefined);
  await Bun.write(file, bytes);
}

describe("logs that were set aside", () => {
  test(
    "of all nodes: they form no new cluster, whatever they are started with, and say what they wait for",
    async () => {
      await withFleet(async (fleet) => {
        const nodes = await fleet.form(3);
        const [n1] = nodes;
        assert(n1 !== undefined);
        for (const key of ["a", "b", "c"]) await fleet.put(n1, key, "1");
        const { clusterId } = await (await n1.fetch("/v1/cluster")).json() as { clusterId: string };
        // Orderly, so that its state surely knows the cluster; the others as it comes.
        await n1.stop();
        await fleet.killAll();
        for (const { id } of nodes) await damageLog(fleet.data(id));
        // The second time there is a new, sound log: it remembers.
        for (let start = 0; start < 2; start++) {
          const linked = nodes.map((node) => node.logLines.length);
          await Promise.all(nodes.map((node) => node.start()));
          await eventually(() => nodes.every((node, at) => said(node, linked[at] ?? 0, /^linked to/)), {
            what: "they see each other",
          });
          // They have all that a new cluster would take by now: what is asserted is that they do not want it.
          for (const node of nodes) {
            const { node: about } = await fleet.view(node);
            assertEquals(about?.phase, "joining");
            assertMatch(
              about?.waitingFor ?? "",
              /set aside.*a member that still remembers.*log\.sqlite\.corrupt-1/,
            );
            assertMatch(await readyz(node), /a member that still remembers/);
            assert(said(node, 0, /waits for a member that still remembers/));
          }
          const listed = await n1.fetch("/v1/kv?prefix=&timeout=200ms");
          assertEquals(listed.status, 503, await listed.text());
          await fleet.killAll();
        }
        // Nor do they go into another cluster than theirs.
        const other = await fleet.start("n1-new", ["--id", "n9"]);
        await other.ready();
        await n1.start(["--join", other.url]);
        await eventually(
          async () => (await readyz(n1)).includes(`was in cluster ${clusterId}, and is told to join`),
          {
            what: "n1 says which cluster it was in",
          },
        );
        assertEquals((await fleet.view(n1)).node?.phase, "joining");
      });
    },
    timeoutMs,
  );

  test("by --rejoin: admitted only, too, also when it is killed before it is", async () => {
    await withFleet(async (fleet) => {
      const [n1, , n3] = await fleet.form(3);
      assert(n1 !== undefined && n3 !== undefined);
      await fleet.run(n1, "remove", "n3");
      await eventually(async () => (await readyz(n3)).includes("removed"), { what: "n3 knows" });
      await fleet.killAll();
      await n3.start(["--rejoin"]);
      await eventually(async () => (await fleet.view(n3)).node?.phase === "joining", { what: "it waits" });
      await n3.kill();
      await n3.start();
      assertMatch((await fleet.view(n3)).node?.waitingFor ?? "", /a member that still remembers/);
      for (const id of ["n1", "n2"]) await fleet.node(id).start();
      await n3.ready();
      await fleet.voters(n1, ["n1", "n2", "n3"]);
    });
  }, timeoutMs);
});

describe("an id that is taken", () => {
  test("the twin gives up; its owner restarts, also while the twin asks, and stays who it is", async () => {
    await withFleet(async (fleet) => {
      const [n1, n2] = await fleet.form(3);
      assert(n1 !== undefined && n2 !== undefined);
      const incarnations = async () =>
        (await fleet.view(n1)).members.filter(({ id }) => id === "n2").map((member) => member.incarnation);
      const before = await incarnations();
      const twin = fleet.make("n2-twin", ["--id", "n2", "--join", n1.url]);
      await twin.start();
      // Its owner was heard again after the twin was refused: from here on it may restart.
      await eventually(
        async () =>
          (await fleet.view(twin)).node?.waitingFor?.includes("a living member calls itself n2 already"),
        { what: "the twin is told that its id is taken" },
      );
      await n2.stop();
      // It asks on while nobody else has the id, and is not let in.
      const code = await twin.ended();
      assertEquals(code, 1);
      assert(said(twin, 0, /^coracle: a living member calls itself n2 already: give this node another id/));
      await n2.start();
      await n2.ready();
      assertEquals(await incarnations(), before);
      await fleet.voters(n1, ["n1", "n2", "n3"]);
    });
  }, timeoutMs);
});

describe("who left, or was removed", () => {
  test("--leave-on-exit: known durably, --rejoin enters anew; not below three voters", async () => {
    await withFleet(async (fleet) => {
      const [n1, n2] = await fleet.form(3);
      assert(n1 !== undefined && n2 !== undefined);
      const n4 = await fleet.start("n4", ["--join", n1.url, "--leave-on-exit"]);
      await fleet.voters(n1, ["n1", "n2", "n3", "n4"]);
      assertEquals(await n4.stop(), 0);
      assertMatch(await refusal(n4) ?? "", /exit code 1\b[^]*was removed from its cluster[^]*--rejoin/);
      // For a supervisor that is to try everything else again.
      const told = fleet.make("n4", [], { CORACLE_FINAL_EXIT_CODE: "78" });
      assertMatch(await refusal(told) ?? "", /exit code 78\b/);
      await n4.start(["--rejoin"]);
      await n4.ready();
      await fleet.voters(n1, ["n1", "n2", "n3", "n4"]);
      assertEquals(await n4.stop(), 0);
      await fleet.voters(n1, ["n1", "n2", "n3"]);
      // One of three stays a member, and is one again when it is back; a learner goes.
      await n2.stop();
      await n2.start(["--leave-on-exit"]);
      await n2.ready();
      assertEquals(await n2.stop(), 0);
      assert(said(n2, 0, /stays a member of the cluster: only 2 voters would stay/));
      await n2.start();
      await n2.ready();
      const reader = await fleet.start("r", ["--join", n1.url, "--role", "learner", "--leave-on-exit"]);
      await reader.ready();
      assertEquals(await reader.stop(), 0);
      await eventually(async () => (await fleet.view(n1)).configuration.learners.length === 0, {
        what: "the learner has left",
      });
      await fleet.voters(n1, ["n1", "n2", "n3"]);
    });
  }, timeoutMs);

  test(
    "removed while away: with --rejoin it enters anew at once; removed while there, it stays out",
    async () => {
      await withFleet(async (fleet) => {
        const [n1, , n3] = await fleet.form(3);
        assert(n1 !== undefined && n3 !== undefined);
        const incarnation = async () =>
          (await fleet.view(n1)).members.find(({ id }) => id === "n3")?.incarnation;
        const before = await incarnation();
        await n3.kill();
        await fleet.run(n1, "remove", "n3");
        await n3.start(["--rejoin"]);
        await n3.ready();
        await fleet.voters(n1, ["n1", "n2", "n3"]);
        assert(before !== undefined && await incarnation() !== before);
        await fleet.put(n3, "a", "1");
        await fleet.run(n1, "remove", "n3");
        await eventually(async () => (await readyz(n3)).includes("was removed"), { what: "n3 knows" });
        await fleet.voters(n1, ["n1", "n2"]);
        assertEquals(await n3.stop(), 0);
      });
    },
    timeoutMs,
  );
});

async function copyAndStart(from: string, to: string, node: NodeProcess): Promise<string | null> {
  await copyFolder(from, to);
  return await refusal(node);
}
