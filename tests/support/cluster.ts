// Real replicas as processes around a test: `await withCluster({ size: 3 }, async (cluster) => { … })`. Everything is
// killed and removed afterwards; when the test throws, the tails of all logs are printed first.
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { NodeProcess, StartFailed } from "./node-process.ts";
import { tempFolder } from "./temp-folder.ts";

export type ClusterOptions = {
  /** Default 3. */
  readonly size?: number;
  /** Further flags of `coracle serve`, for all nodes. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** False: started and serving, but not waited until all are ready. Default true. */
  readonly waitReady?: boolean;
};

/** Collisions of ports are rare; more than a few in a row are something else. */
const startAttempts = 3;

export async function withCluster(
  options: ClusterOptions,
  test: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  await using folder = await tempFolder("cluster");
  const cluster = await startCluster(folder.path, options);
  try {
    if (options.waitReady !== false) await cluster.ready();
    await test(cluster);
    cluster.assertHealthyLogs();
  } catch (error) {
    for (const node of cluster.nodes) console.error(node.logTail());
    throw error;
  } finally {
    await cluster.killAll();
  }
}

async function startCluster(
  folder: string,
  { size = 3, flags = [], env = {} }: ClusterOptions,
): Promise<Cluster> {
  for (let attempt = 1;; attempt++) {
    const ports = freePorts(size);
    const peers = ports.map((port, at) => `n${at + 1}=http://127.0.0.1:${port}`).join(",");
    const nodes = ports.map((port, at) =>
      new NodeProcess({
        id: `n${at + 1}`,
        port,
        data: join(folder, `attempt-${attempt}`, `n${at + 1}`),
        flags: ["--peers", peers, ...flags],
        env,
      })
    );
    const cluster = new Cluster(nodes);
    const results = await Promise.allSettled(nodes.map((node) => node.start()));
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return cluster;
    await cluster.killAll();
    const collided = failed.reason instanceof StartFailed && failed.reason.message.includes("is taken");
    if (!collided || attempt === startAttempts) throw failed.reason;
  }
}

/** What /v1/cluster says, as far as tests ask. */
export type ClusterView = {
  readonly leader: string | null;
  readonly term: number | null;
  readonly revision: number | null;
};

export class Cluster {
  readonly nodes: readonly NodeProcess[];

  constructor(nodes: readonly NodeProcess[]) {
    this.nodes = nodes;
  }

  /** For the command line's --url: all nodes. */
  get urls(): string {
    return this.nodes.map(({ url }) => url).join(",");
  }

  node(id: string): NodeProcess {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  others(than: NodeProcess): NodeProcess[] {
    return this.nodes.filter((node) => node !== than);
  }

  async ready(deadlineMs = 20_000): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.ready(deadlineMs)));
  }

  /** Waits until all running nodes name the same running leader. */
  async leader(deadlineMs = 15_000): Promise<NodeProcess> {
    return await eventually(async () => {
      const views = await Promise.all(
        this.nodes.filter((node) => node.running).map((node) => this.view(node)),
      );
      const named = new Set(views.map(({ leader }) => leader));
      const [only] = named;
      if (named.size !== 1 || only === null || only === undefined) {
        throw new Error(`leaders named: ${[...named].join(", ")}`);
      }
      const node = this.node(only);
      return node.running ? node : null;
    }, { deadlineMs, what: "all running nodes name the same running leader" });
  }

  async view(node: NodeProcess): Promise<ClusterView> {
    const response = await node.fetch("/v1/cluster");
    if (!response.ok) throw new Error(`${node.id}: /v1/cluster answers ${response.status}`);
    return await response.json() as ClusterView;
  }

  /** No invariant broke, no replica ended itself. Called after every test. */
  assertHealthyLogs(): void {
    for (const node of this.nodes) {
      const line = node.logLines.find(({ fatal, message }) =>
        fatal === true || /invariant|nobody handled/.test(message)
      );
      if (line !== undefined) throw new Error(`${node.id} says: ${JSON.stringify(line)}`);
    }
  }

  async killAll(): Promise<void> {
    await Promise.all(this.nodes.filter((node) => node.running).map((node) => node.kill()));
  }
}
