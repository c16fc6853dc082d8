// "Your own state machine": the bank of examples/ as three real processes, built from the public library alone.
import { assert, assertEquals } from "@std/assert";
import type { Subprocess } from "bun";
import { test } from "bun:test";
import { cleanEnvironment } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { tempFolder } from "../support/temp-folder.ts";

const root = new URL("../..", import.meta.url).pathname;
const people = ["ann", "bob", "cy", "dee"];

type Branch = { readonly id: string; readonly url: string; start(): void; kill(): Promise<void> };

function branch(id: string, url: string, peers: string, data: string): Branch {
  let child: Subprocess | null = null;
  const end = () => child?.kill("SIGKILL");
  return {
    ...{ id, url },
    start() {
      const command = [process.execPath, "examples/bank-server.ts", id, "--peers", peers, "--data", data];
      child = Bun.spawn(command, { cwd: root, env: cleanEnvironment(), stdout: "ignore", stderr: "ignore" });
      // Also when a test hung and its runner gave up on it.
      process.on("exit", end);
    },
    async kill() {
      end();
      await child?.exited;
      process.off("exit", end);
    },
  };
}

async function withBank(run: (branches: readonly Branch[]) => Promise<void>): Promise<void> {
  await using folder = await tempFolder("bank");
  const urls = freePorts(3).map((port) => `http://127.0.0.1:${port}`);
  const peers = urls.map((url, at) => `n${at + 1}=${url}`).join(",");
  const branches = urls.map((url, at) => branch(`n${at + 1}`, url, peers, folder.path));
  try {
    for (const each of branches) each.start();
    await run(branches);
  } finally {
    await Promise.all(branches.map((each) => each.kill()));
  }
}

async function call(at: Branch, method: string, path: string): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(at.url + path, {
    method,
    keepalive: false,
    signal: AbortSignal.timeout(10_000),
  });
  return { status: response.status, answer: await response.json() };
}

/** A linearizable read, asked again until it is served. */
function ask(at: Branch, path: string): Promise<unknown> {
  const what = `${at.id} answers ${path}`;
  return eventually(async () => {
    const { status, answer } = await call(at, "GET", path);
    return status === 200 ? { answer } : null;
  }, { what }).then(({ answer }) => answer);
}

test("three branches of the bank agree on every cent, also after kill -9 of the one that leads", async () => {
  const random = seededRandom(printedSeed("bank branches"));
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;

  await withBank(async (branches) => {
    for (const each of branches) assertEquals(await ask(each, "/total"), 0);
    for (const [at, to] of people.entries()) {
      const { status } = await call(branches[at % 3] as Branch, "POST", `/deposit?to=${to}&cents=1000`);
      assertEquals(status, 200);
    }
    const overdrawn = await call(pick(branches), "POST", "/transfer?from=ann&to=bob&cents=1001");
    assertEquals(overdrawn, { status: 409, answer: { ok: false, reason: "insufficient_funds" } });

    /** Through any of them; what is refused or unknown while nobody leads changes no sum. */
    const move = async (through: readonly Branch[]) => {
      const path = `/transfer?from=${pick(people)}&to=${pick(people)}&cents=${
        1 + Math.floor(random() * 300)
      }`;
      return (await call(pick(through), "POST", path).catch(() => null))?.status === 200;
    };
    let moved = 0;
    for (let n = 0; n < 30; n++) if (await move(branches)) moved++;
    assert(moved > 0, "nothing moved");

    const leader = await eventually(async () => {
      for (const each of branches) if ((await call(each, "GET", "/role")).answer === "leader") return each;
      return null;
    }, { what: "one leads" });
    const survivors = branches.filter((each) => each !== leader);
    await leader.kill();
    await eventually(() => move(survivors), { what: "money moves again" });
    for (let n = 0; n < 20; n++) await move(survivors);

    leader.start();
    const books = await Promise.all(branches.map(async (each) => {
      const total = await eventually(() => ask(each, "/total"), { what: `${each.id} is back` });
      const balances = [];
      for (const account of people) balances.push(await ask(each, `/balance?account=${account}`));
      return { total, balances };
    }));
    const [first] = books;
    for (const book of books) assertEquals(book, first);
    assertEquals(first?.total, 4000);
    assertEquals(first?.balances.reduce((sum: number, cents) => sum + Number(cents), 0), 4000);
  });
}, 60_000);
