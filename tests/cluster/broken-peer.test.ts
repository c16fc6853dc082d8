// A peer that has proved who it is and then sends what no replica would send, against a real node: its link ends or it is
// refused, and the node lives.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { encodeFrame } from "../../lib/peers/codec.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import type { PeerIdentity } from "../../lib/replica/ports.ts";
import { append } from "../peers/messages.ts";
import { rawPeer } from "../peers/raw-peer.ts";
import { eventually } from "../support/eventually.ts";
import { NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";

const stranger: PeerIdentity = {
  ...{ replica: "n9~z", clusterId: null, bootCount: 1, nonce: "p9", url: "", version: "0.1.0", earlier: [] },
};

/** From a later leader, with an entry that says it is a configuration. */
function noConfiguration(): PeerMessage {
  const message = append(1, 3);
  assert(message.type === "AppendEntries");
  const entries = message.entries.map((entry) => ({ ...entry, term: 99, type: "configuration" as const }));
  return { ...message, term: 99, prevLogTerm: 0, entries };
}

test("neither an entry that is no configuration nor a command of nobody's ends a node", async () => {
  await using folder = await tempFolder("broken-peer");
  const node = new NodeProcess({ id: "n1", port: 0, data: folder.path });
  try {
    await node.start();
    await node.ready();
    const first = await rawPeer(node.url, stranger, null);
    first.socket.send(encodeFrame([noConfiguration()]));
    assertEquals(await first.socket.closed, 1002);
    await eventually(
      () => node.logLines.some(({ message }) => message.includes("a configuration that is none")),
      {
        deadlineMs: 5_000,
        what: "a line says why",
      },
    );

    const command = Uint8Array.of(255, 1, 2, 3);
    const second = await rawPeer(
      node.url,
      { ...stranger, nonce: "p10", bootCount: 2, earlier: ["p9"] },
      null,
    );
    second.socket.send(encodeFrame([{ type: "Forward", requestId: 5, command, timeoutMs: 5_000 }]));
    const put = await node.fetch("/v1/kv/a", { method: "PUT", body: "1" });
    assert(put.ok, await put.text());
    second.socket.close();
    assertEquals(await node.stop(), 0);
    // What had been committed would stop it again at every start.
    await node.start();
    await node.ready();
    assertEquals(await (await node.fetch("/v1/kv/a")).text(), "1");
    assertEquals(await node.stop(), 0);
  } finally {
    await node.kill();
  }
}, 60_000);
