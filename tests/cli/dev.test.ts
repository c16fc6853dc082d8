// `coracle dev`: three replicas from one command, until Ctrl-C.
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Subprocess } from "bun";
import { test } from "bun:test";
import { cleanEnvironment, coracleCommand } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePortRange } from "../support/free-ports.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Starts it, keeps what it says. */
function startDev(
  port: number,
  data: string,
  { env = {}, nodes = 3 }: { env?: Readonly<Record<string, string>>; nodes?: number } = {},
): { child: Subprocess; said: () => string } {
  const flags = ["--port", String(port), "--data", data, "--nodes", String(nodes)];
  const child = Bun.spawn([...coracleCommand(), "dev", ...flags], {
    env: cleanEnvironment(env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    (async () => {
      for await (const chunk of stream) text += new TextDecoder().decode(chunk);
    })();
  }
  return { child, said: () => text };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("three replicas are ready, a dead one is reported, Ctrl-C stops all with exit code 0", async () => {
  await using folder = await tempFolder("dev");
  const port = freePortRange(3);
  const { child, said } = startDev(port, folder.path);
  let pids: number[] = [];
  try {
    await eventually(() => said().includes("Ctrl-C stops all"), { deadlineMs: 20_000, what: "dev is ready" });
    pids = [...said().matchAll(/\(process (\d+)\)/g)].map((match) => Number(match[1]));
    assertEquals(pids.length, 3);
    for (let at = 0; at < 3; at++) {
      assertMatch(said(), new RegExp(`curl.* '?http://127.0.0.1:${port + at}/v1/`));
    }

    const url = (at: number) => `http://127.0.0.1:${port + at}/v1/kv/greetings/hello`;
    assertEquals((await fetch(url(0), { method: "PUT", body: "ahoy", keepalive: false })).status, 201);
    assertEquals(await (await fetch(url(1), { keepalive: false })).text(), "ahoy");

    process.kill(pids[2] ?? 0, "SIGKILL");
    await eventually(() => /n3 was ended by SIGKILL.*\n.* serve --id n3 /.test(said()), {
      what: "n3 is reported",
    });
    assertEquals(await (await fetch(url(1), { keepalive: false })).text(), "ahoy");

    child.kill("SIGINT");
    assertEquals(await child.exited, 0);
    assertEquals(pids.filter(isAlive), []);
  } catch (error) {
    console.error(said());
    throw error;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    // Killed itself, dev leaves its children to the end of their stdin.
    await eventually(() => pids.every((pid) => !isAlive(pid)), { what: "all replicas have ended" });
  }
}, 60_000);

test("a kill -9 of dev leaves no replica behind", async () => {
  await using folder = await tempFolder("dev");
  const { child, said } = startDev(freePortRange(3), folder.path);
  try {
    await eventually(() => said().includes("Ctrl-C stops all"), { deadlineMs: 20_000, what: "dev is ready" });
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
  const pids = [...said().matchAll(/\(process (\d+)\)/g)].map((match) => Number(match[1]));
  assert(pids.length === 3);
  await eventually(() => pids.every((pid) => !isAlive(pid)), { what: "all replicas have ended" });
}, 60_000);

test("with TOKEN set it announces all the same, and the hints show a token", async () => {
  await using folder = await tempFolder("dev");
  const port = freePortRange(1);
  const { child, said } = startDev(port, folder.path, { env: { TOKEN: "first,second" }, nodes: 1 });
  try {
    await eventually(() => said().includes("Ctrl-C stops all"), { deadlineMs: 20_000, what: "dev is ready" });
    const [, hint = ""] = /^ {2}(curl .*\/v1\/cluster)$/m.exec(said()) ?? [];
    assertMatch(hint, /-H "Authorization: Bearer \$\{TOKEN%%,\*\}"/);
    const shell = Bun.spawn(["sh", "-c", `${hint} -s -o /dev/null -w '%{http_code}'`], {
      env: cleanEnvironment({ TOKEN: "first,second" }),
      stdout: "pipe",
      stderr: "ignore",
    });
    const printed = await new Response(shell.stdout).text();
    // Without curl the hint was still read above.
    if (await shell.exited !== 127) assertEquals(printed, "200");
    child.kill("SIGINT");
    assertEquals(await child.exited, 0);
  } catch (error) {
    console.error(said());
    throw error;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}, 60_000);
