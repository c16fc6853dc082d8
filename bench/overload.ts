// Far more than the cluster can take: 2,000 connections that write as fast as they can. Everything must be answered or
// refused, and no node may grow past 400 MiB: else the exit code is 1.
//   npm run bench:overload -- [--connections 2000] [--seconds 20]
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { withCluster } from "../tests/support/cluster.ts";
import { measuredExecutable } from "./measure.ts";

const { values: flags } = parseArgs({
  options: { connections: { type: "string", default: "2000" }, seconds: { type: "string", default: "20" } },
});
const MAX_RESIDENT_MIB = 400;
const seconds = Number(flags.seconds);
const answers = new Map<string, number>();
let sent = 0;
let closed = 0;

/** One connection that sends its next request when the last is answered; raw, so that nothing is hidden by a pool. */
function hammer(port: number, name: number, until: number): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, "127.0.0.1");
    const body = "x".repeat(1024);
    let number = 0;
    let waiting = false;
    const next = () => {
      if (performance.now() >= until) return socket.end();
      sent++;
      waiting = true;
      socket.write(
        `PUT /v1/kv/o/${name}/${
          number++ % 16
        } HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    };
    let rest = "";
    socket.on("connect", next);
    socket.on("data", (chunk) => {
      rest += chunk.toString("latin1");
      for (;;) {
        const head = rest.indexOf("\r\n\r\n");
        if (head < 0) return;
        const length = Number(/content-length: (\d+)/i.exec(rest)?.[1] ?? 0);
        if (rest.length < head + 4 + length) return;
        const status = rest.slice(9, 12);
        answers.set(status, (answers.get(status) ?? 0) + 1);
        rest = rest.slice(head + 4 + length);
        waiting = false;
        if (status === "503") setTimeout(next, 5);
        else next();
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      if (waiting) closed++;
      resolve();
    });
  });
}

function residentMiB(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}

await measuredExecutable();
await withCluster({ size: 3 }, async (cluster) => {
  const peaks = new Map<string, number>();
  const watch = setInterval(() => {
    for (const node of cluster.nodes) {
      if (node.pid === null) continue;
      peaks.set(node.id, Math.max(peaks.get(node.id) ?? 0, residentMiB(node.pid)));
    }
  }, 100);
  const ports = cluster.nodes.map(({ url }) => Number(new URL(url).port));
  const until = performance.now() + seconds * 1000;
  const all = Array.from(
    { length: Number(flags.connections) },
    (_, at) => hammer(ports[at % ports.length] ?? 0, at, until),
  );
  await Promise.all(all);
  clearInterval(watch);
  console.log(`${flags.connections} connections for ${seconds} s: ${sent} sent`);
  console.log(`answers: ${[...answers].map(([status, count]) => `${status} × ${count}`).join(", ")}`);
  console.log(`not answered: ${closed}`);
  console.log(`peak resident: ${[...peaks].map(([id, peak]) => `${id} ${Math.round(peak)} MiB`).join(", ")}`);
  const [node] = cluster.nodes;
  const after = await node?.fetch("/v1/kv/after", { method: "PUT", body: "x" });
  console.log(`a write right after: ${after?.status}`);
  const strange = [...answers.keys()].filter((status) => !["200", "201", "503", "504"].includes(status));
  const failures = [
    ...(closed > 0 ? [`${closed} not answered`] : []),
    ...(strange.length > 0 ? [`answers of ${strange.join(", ")}`] : []),
    ...[...peaks].filter(([, peak]) => peak > MAX_RESIDENT_MIB).map(([id]) =>
      `${id} above ${MAX_RESIDENT_MIB} MiB`
    ),
    ...(after?.ok === true ? [] : ["no write afterwards"]),
  ];
  if (failures.length === 0) return;
  console.log(`FAILED: ${failures.join("; ")}`);
  process.exitCode = 1;
});
