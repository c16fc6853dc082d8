// How the harnesses start and end a replica: the simulator's bare arguments, the script in examples/, signals.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { cleanEnvironment, coracleCommand, runCoracle } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { tempFolder } from "../support/temp-folder.ts";

const script = new URL("../../examples/3700kvstore", import.meta.url).pathname;

/** Starts a replica, waits for its hello, and ends it by SIGTERM. */
async function helloOf(
  start: (port: number) => readonly string[],
  env: Record<string, string> = {},
): Promise<unknown> {
  const heard: string[] = [];
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (_socket, bytes) => void heard.push(bytes.toString("utf8")) },
  });
  const child = Bun.spawn([...start(socket.port)], {
    env: cleanEnvironment(env),
    stdout: "pipe",
    stderr: "pipe",
  });
  try {
    await eventually(() => heard.length > 0, { what: "a hello", deadlineMs: 20_000 });
    child.kill("SIGTERM");
    assertEquals(await child.exited, 143);
    assertEquals(await new Response(child.stdout).text(), "");
    assertEquals(await new Response(child.stderr).text(), "");
    assertEquals(heard.length, 1);
    return JSON.parse(heard[0] ?? "");
  } finally {
    child.kill("SIGKILL");
    socket.close();
  }
}

const hello = { src: "00A1", dst: "FFFF", leader: "FFFF", type: "hello" };

describe("the adapters' command lines", () => {
  test("a port and ids of four hex digits are the simulator's call", async () => {
    assertEquals(await helloOf((port) => [...coracleCommand(), String(port), "00A1", "0001", "0002"]), hello);
    assertEquals(await helloOf((port) => [...coracleCommand(), "datacenter", String(port), "00A1"]), hello);
  });

  test("a replica whose simulator is gone ends by itself", async () => {
    const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const { port } = socket;
    socket.close();
    const { code, stdout } = await runCoracle(["datacenter", String(port), "00A1", "0001", "0002"]);
    assertEquals([code, stdout], [0, ""]);
  });

  test("examples/3700kvstore starts the replica in its own place", async () => {
    await using folder = await tempFolder("3700");
    const coracle = join(folder.path, "coracle");
    const command = coracleCommand().map((part) => `'${part}'`).join(" ");
    await Bun.write(coracle, `#!/bin/sh\nexec ${command} "$@"\n`);
    await chmod(coracle, 0o755);
    assertEquals(
      await helloOf((port) => [script, String(port), "00A1", "0001"], { CORACLE: coracle }),
      hello,
    );
  });

  test("what cannot be meant is said in one line", async () => {
    for (
      const args of [
        ["datacenter", "x", "0000"],
        ["datacenter", "9000", "000"],
        ["datacenter", "9000", "0001", "0001"],
        ["datacenter", "9000", "FFFF", "0001"],
      ]
    ) {
      const { code, stdout, stderr } = await runCoracle(args);
      assertEquals([code, stdout], [2, ""]);
      assert(/^coracle: .*\n$/.test(stderr), stderr);
    }
    assertEquals((await runCoracle(["maelstrom", "--log-level", "loud"], { stdin: "" })).code, 2);
  });

  test("maelstrom answers what comes before init with an error", async () => {
    const stdin = JSON.stringify({ src: "c1", dest: "n1", body: { type: "read", msg_id: 7, key: 1 } }) + "\n";
    const { code, stdout } = await runCoracle(["maelstrom"], { stdin });
    assertEquals(code, 0);
    const { src, dest, body: { text, ...body } } = JSON.parse(stdout);
    assertEquals({ src, dest, body }, {
      ...{ src: "n1", dest: "c1" },
      body: { type: "error", in_reply_to: 7, code: 11 },
    });
    assert(text.includes("init"), text);
  });

  test("maelstrom ends with its stdin, and says nothing of noise on stdout", async () => {
    const { code, stdout, stderr } = await runCoracle(["maelstrom"], { stdin: 'noise\n{"src":1}\n\n[]\n' });
    assertEquals([code, stdout], [0, ""]);
    assert(stderr.includes("no message"));
  });
});
