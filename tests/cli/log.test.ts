// A log that nobody can write: the replica serves on without it, and stops in order.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { cleanEnvironment, coracleCommand } from "../support/coracle.ts";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { tempFolder } from "../support/temp-folder.ts";

/** Serves with this stderr; `unread` is called once the first line of the log is out. Returns the exit code of a SIGTERM. */
async function serveWith(
  stderr: number | "pipe",
  unread: (reader: ReadableStream<Uint8Array> | null) => Promise<void> = async () => {},
): Promise<number> {
  await using folder = await tempFolder("log");
  const [port = 0] = freePorts(1);
  const child = Bun.spawn(
    [...coracleCommand(), ...[
      "serve",
      "--port",
      String(port),
      "--data",
      folder.path,
      "--log-level",
      "debug",
    ]],
    { env: cleanEnvironment(), stdin: "ignore", stdout: "ignore", stderr },
  );
  try {
    await unread(child.stderr instanceof ReadableStream ? child.stderr : null);
    await eventually(async () => {
      if (child.exitCode !== null) return true;
      const response = await fetch(`http://127.0.0.1:${port}/v1/kv/a`, { method: "PUT", body: "1" });
      return response.ok;
    }, { what: "it takes a write, or ends" });
    assertEquals(child.exitCode, null);
    // A line of the log for each: the handshake of a stranger that is none.
    for (let number = 0; number < 3; number++) await speakNonsense(port);
    assertEquals((await fetch(`http://127.0.0.1:${port}/v1/kv/a`)).status, 200);
    child.kill("SIGTERM");
    return await child.exited;
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
}

/** A WebSocket at the door for replicas that speaks no word of their language. */
function speakNonsense(port: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/peer?channel=control`);
    socket.onopen = () => socket.send("ahoy");
    socket.onclose = () => resolve();
    socket.onerror = () => resolve();
  });
}

describe("a replica goes on and stops with 0", () => {
  test("when its log goes to a full disk", async () => {
    const full = openSync("/dev/full", "w");
    try {
      assertEquals(await serveWith(full), 0);
    } finally {
      closeSync(full);
    }
  });

  test("when the reader of its log has gone", async () => {
    const code = await serveWith("pipe", async (stderr) => {
      const reader = stderr?.getReader();
      await reader?.read();
      await reader?.cancel();
    });
    assertEquals(code, 0);
  });
});
