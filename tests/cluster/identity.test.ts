// Data folders that are not what peers remember, and nodes that must not be who they say: on real processes.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { cp, rm } from "node:fs/promises";
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

async function copyAndStart(from: string, to: string, node: NodeProcess): Promise<string | null> {
  await copyFolder(from, to);
  return await refusal(node);
}
