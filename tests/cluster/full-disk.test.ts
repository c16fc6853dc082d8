// A follower whose disk is full for real, a small tmpfs: it stays up and votes, the others go on, and it catches up when
// there is room. Needs root; elsewhere it says so and does nothing.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { cpSync } from "node:fs";
import { freeSpace } from "../../lib/storage/mod.ts";
import { type Cluster, withCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import type { NodeProcess } from "../support/node-process.ts";

const MiB = 1024 * 1024;
const values = 90;

/** Moves the data of a node that is down onto a disk of so many MiB of its own; null = none can be had here. */
function ontoSmallDisk(node: NodeProcess, size: number) {
  const aside = `${node.data}.aside`;
  cpSync(node.data, aside, { recursive: true });
  const mount = (...options: string[]) =>
    Bun.which("mount") !== null &&
    Bun.spawnSync(["mount", "-t", "tmpfs", ...options, "tmpfs", node.data]).success;
  if (!mount("-o", `size=${size}m`)) return null;
  cpSync(aside, node.data, { recursive: true });
  return {
    free: freeSpace(node.data),
    resize: (size: number) => assert(mount("-o", `remount,size=${size}m`)),
    [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", node.data]),
  };
}

/** Through whoever leads, which the node on the small disk must not: a leader refuses writes at its own reserve. */
async function fill(cluster: Cluster, small: NodeProcess, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    await eventually(async () => {
      const leader = await cluster.leader();
      if (leader === small) await leader.fetch("/v1/cluster/leader", { method: "POST", body: "{}" });
      const body = new Uint8Array(MiB).fill(at);
      const response = await leader.fetch(`/v1/kv/large/${at}`, { method: "PUT", body });
      if (!response.ok) throw new Error(`PUT large/${at}: ${response.status} ${await response.text()}`);
      return true;
    }, { deadlineMs: 15_000, what: `large/${at} is written` });
  }
}

async function revision(cluster: Cluster, node: NodeProcess): Promise<number> {
  return (await cluster.view(node)).revision ?? 0;
}

test("a follower on a full disk stays up, votes, and catches up when there is room", async () => {
  await withCluster({ size: 3 }, async (cluster) => {
    const full = cluster.others(await cluster.leader())[0];
    assert(full !== undefined);
    assertEquals(await full.stop(), 0);
    using disk = ontoSmallDisk(full, 96);
    if (disk === null) return console.log("skipped: no tmpfs can be mounted here");
    await full.start();
    await full.ready();
    await fill(cluster, full, values);
    const leader = await cluster.leader();
    const other = cluster.others(leader).find((node) => node !== full);
    assert(other !== undefined && leader !== full);
    assert(full.running, "it ended");
    assert(full.logLines.some(({ message }) => message.includes("the log is not followed")));
    assert(await revision(cluster, full) < await revision(cluster, leader));
    assert(disk.free() > 8 * MiB, `${disk.free() / MiB} MiB free`);
    const refused = await full.fetch("/v1/kv/small", { method: "PUT", body: "x" });
    assertEquals(refused.status, 503);

    // A restart finds room too; and with its vote another leads.
    await full.kill();
    await full.start();
    await leader.kill();
    assertEquals((await cluster.leader()).id, other.id);

    disk.resize(1024);
    await full.ready(30_000);
    await eventually(async () => await revision(cluster, full) >= await revision(cluster, other), {
      deadlineMs: 30_000,
      what: "it has caught up",
    });
    const last = await (await full.fetch(`/v1/kv/large/${values - 1}`)).bytes();
    assertEquals(Buffer.compare(last, new Uint8Array(MiB).fill(values - 1)), 0);
    assert((await full.fetch("/v1/kv/small", { method: "PUT", body: "x" })).ok);
    await full.stop();
  });
}, 120_000);
