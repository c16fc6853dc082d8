// Three replicas of ours beside three of etcd, in one run, turn by turn: durable writes and linearizable reads, driven by
// one closed-loop client that speaks both protocols alike (bench/client). Figures count only as ratios of the same run.
//
//   npm run bench -- [--seconds 5] [--rounds 3] [--json FILE]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { freePorts } from "../tests/support/free-ports.ts";
import { benchClient, measuredExecutable, median, spread } from "./measure.ts";

type Measured = {
  operations: number;
  failures: number;
  perSecond: number;
  p50us: number;
  p99us: number;
  clientCpuSeconds: number;
  firstError?: string;
};
type Cluster = {
  readonly name: "coracle" | "etcd";
  readonly urls: string[];
  readonly pids: number[];
  stop(): Promise<void>;
};
type Case = { readonly op: "put" | "get"; readonly connections: number; readonly aim: number | null };
type Sample = Measured & { readonly serverCpuMicrosecondsPerOperation: number };

const cases: readonly Case[] = [
  { op: "put", connections: 1, aim: null },
  { op: "put", connections: 64, aim: 2 },
  { op: "put", connections: 256, aim: 2 },
  { op: "get", connections: 64, aim: 4 },
];

const { values: flags } = parseArgs({
  options: {
    seconds: { type: "string", default: "5" },
    rounds: { type: "string", default: "3" },
    json: { type: "string" },
  },
});
const seconds = Number(flags.seconds);
const rounds = Number(flags.rounds);
const root = join(import.meta.dirname, "..");

function say(line: string): void {
  console.error(line);
}

async function run(command: string[], cwd: string): Promise<string> {
  const child = Bun.spawn(command, { cwd, stdout: "pipe", stderr: "inherit" });
  const output = await new Response(child.stdout).text();
  if (await child.exited !== 0) throw new Error(`${command.join(" ")} failed`);
  return output;
}

async function until(what: string, ready: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await ready().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`${what} did not come up within 20 s`);
    await Bun.sleep(50);
  }
}

type Child = Bun.Subprocess<"ignore", "ignore", "ignore">;

function start(command: string[], environment: Record<string, string> = {}): Child {
  return Bun.spawn(command, {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
    env: { ...process.env, ...environment },
  });
}

function clusterOf(name: Cluster["name"], urls: string[], children: Child[], folder: string): Cluster {
  return {
    name,
    urls,
    pids: children.map((child) => child.pid),
    stop: async () => {
      for (const child of children) child.kill("SIGTERM");
      await Promise.all(children.map((child) => child.exited));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function startCoracle(executable: string): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "coracle-bench-"));
  const ports = freePorts(3);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const peers = urls.map((url, at) => `n${at + 1}=${url}`).join(",");
  const children = ports.map((port, at) =>
    start([
      executable,
      "serve",
      "--id",
      `n${at + 1}`,
      "--port",
      String(port),
      "--data",
      join(folder, `n${at + 1}`),
      "--peers",
      peers,
    ])
  );
  for (const url of urls) await until(url, async () => (await fetch(`${url}/readyz`)).ok);
  return clusterOf("coracle", urls, children, folder);
}

async function startEtcd(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "etcd-bench-"));
  const ports = freePorts(6);
  const urls = ports.slice(0, 3).map((port) => `http://127.0.0.1:${port}`);
  const peerUrls = ports.slice(3).map((port) => `http://127.0.0.1:${port}`);
  const cluster = peerUrls.map((url, at) => `n${at + 1}=${url}`).join(",");
  const children = urls.map((url, at) =>
    start([
      ...["etcd", "--name", `n${at + 1}`, "--data-dir", join(folder, `n${at + 1}`)],
      ...["--listen-client-urls", url, "--advertise-client-urls", url],
      ...["--listen-peer-urls", peerUrls[at] ?? "", "--initial-advertise-peer-urls", peerUrls[at] ?? ""],
      ...["--initial-cluster", cluster, "--initial-cluster-state", "new", "--log-level", "error"],
    ])
  );
  for (const url of urls) await until(url, async () => (await fetch(`${url}/health`)).ok);
  return clusterOf("etcd", urls, children, folder);
}

/** User and system time of the processes so far, in seconds (proc(5), fields 14 and 15, in ticks of 10 ms). */
function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}

async function measure(client: string, cluster: Cluster, { op, connections }: Case): Promise<Sample> {
  const before = cpuSeconds(cluster.pids);
  const output = await run(
    [
      client,
      ...["-target", cluster.name, "-urls", cluster.urls.join(","), "-op", op],
      ...["-connections", String(connections), "-duration", `${seconds}s`],
    ],
    root,
  );
  const measured: Measured = JSON.parse(output);
  // The client's warm-up second is in the servers' time too; it did as much per second.
  const used = (cpuSeconds(cluster.pids) - before) * seconds / (seconds + 1);
  return { ...measured, serverCpuMicrosecondsPerOperation: used * 1e6 / Math.max(1, measured.operations) };
}

async function main(): Promise<void> {
  if (Bun.which("etcd") === null) {
    return say("skipped: this comparison needs etcd (Debian: apt-get install etcd-server)");
  }
  const client = await benchClient();
  if (client === null) return;
  const clusters = [await startCoracle(await measuredExecutable()), await startEtcd()];
  const samples = new Map<string, Sample[]>();
  try {
    // Round 0 is not counted: servers run for days, and a compiler that compiles as it runs needs seconds to have done so.
    for (let round = 0; round <= rounds; round++) {
      for (const one of cases) {
        // Who goes first changes from round to round.
        for (const cluster of round % 2 === 0 ? clusters : [...clusters].reverse()) {
          const sample = await measure(client, cluster, one);
          const key = `${cluster.name} ${one.op} ${one.connections}`;
          if (round > 0) samples.set(key, [...samples.get(key) ?? [], sample]);
          say(`round ${round}: ${key}: ${Math.round(sample.perSecond)}/s, p99 ${sample.p99us} µs`);
          if (sample.failures > 0) say(`  ${sample.failures} failed: ${sample.firstError}`);
        }
      }
    }
  } finally {
    for (const cluster of clusters) await cluster.stop();
  }
  report(samples);
}

function report(samples: ReadonlyMap<string, Sample[]>): void {
  console.log(
    `${cpus().length} × ${cpus()[0]?.model}, ${rounds} rounds of ${seconds} s, 256 B values, medians`,
  );
  console.log(
    "| case | coracle/s | etcd/s | ratio (spread) | aim | p99 µs | server CPU µs/op | client CPU s |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const { op, connections, aim } of cases) {
    const [ours = [], theirs = []] = ["coracle", "etcd"].map((name) =>
      samples.get(`${name} ${op} ${connections}`) ?? []
    );
    const ratios = ours.map((sample, at) => sample.perSecond / (theirs[at]?.perSecond ?? NaN));
    const both = (pick: (sample: Sample) => number) =>
      `${Math.round(median(ours.map(pick)))} / ${Math.round(median(theirs.map(pick)))}`;
    const rate = (list: readonly Sample[]) => Math.round(median(list.map((sample) => sample.perSecond)));
    console.log(
      `| ${op} × ${connections} | ${rate(ours)} | ${rate(theirs)} | ${median(ratios).toFixed(2)} (${
        spread(ratios)
      }) | ` +
        `${aim === null ? "" : `≥ ${aim}`} | ${both((one) => one.p99us)} | ` +
        `${both((one) => one.serverCpuMicrosecondsPerOperation)} | ${both((one) => one.clientCpuSeconds)} |`,
    );
  }
  console.log("\nboth fsync before they acknowledge");
  if (flags.json !== undefined) {
    writeFileSync(flags.json, JSON.stringify(Object.fromEntries(samples), null, 2));
  }
}

await main();
