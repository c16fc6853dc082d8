// Real replicas that come and go, each with its own flags, on ports that may change: for tests of membership.
import { assert } from "@std/assert";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { freePorts } from "../support/free-ports.ts";
import { runCoracle } from "../support/coracle.ts";
import { type NodeOptions, NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";

export type View = {
  readonly leader: string | null;
  readonly term: number | null;
  readonly configuration: {
    readonly index: number | null;
    readonly joint: boolean;
    readonly voters: readonly string[];
    readonly learners: readonly string[];
  };
  readonly members: readonly {
    readonly id: string;
    readonly url: string | null;
    readonly incarnation: string;
    readonly lastContactMs: number | null;
    readonly gossipAgeMs?: number;
    readonly unreachableFrom?: readonly string[];
  }[];
  readonly node?: { readonly phase: string; readonly waitingFor?: string };
};

/** Fast enough for tests, slow enough for two busy cores. */
const pace = ["--heartbeat-ms", "60", "--election-ms", "400", "--log-level", "debug"];

/** Where a node runs and how it is reached. Flags of a place come after the fleet's own. */
export type Place = Pick<NodeOptions, "port" | "host" | "prefix" | "fetch" | "flags">;

/** Where nodes of these ids run from now on. */
export type Places = (ids: readonly string[]) => readonly Place[];

function onLoopback(ids: readonly string[]): readonly Place[] {
  return freePorts(ids.length).map((port) => ({ port }));
}

export class Fleet {
  readonly #folder: string;
  readonly #places: Places;
  readonly #nodes = new Map<string, NodeProcess>();

  constructor(folder: string, places: Places = onLoopback) {
    this.#folder = folder;
    this.#places = places;
  }

  get running(): NodeProcess[] {
    return [...this.#nodes.values()].filter((node) => node.running);
  }

  node(id: string): NodeProcess {
    const node = this.#nodes.get(id);
    assert(node !== undefined, `there is no ${id}`);
    return node;
  }

  data(id: string): string {
    return join(this.#folder, id);
  }

  /** A node of this id, in a place of its own; the same data folder each time. */
  make(id: string, flags: readonly string[] = [], env: Record<string, string> = {}): NodeProcess {
    const [place = { port: 0 }] = this.#places([id]);
    return this.#make(id, place, flags, env);
  }

  /** A second process of a node, on another folder and in a place of its own; it is the caller's to end. */
  makeFrom(id: string, data: string): NodeProcess {
    const [place = { port: 0 }] = this.#places([id]);
    return new NodeProcess({ ...place, id, data, flags: [...pace, ...(place.flags ?? [])] });
  }

  async start(
    id: string,
    flags: readonly string[] = [],
    env: Record<string, string> = {},
  ): Promise<NodeProcess> {
    const node = this.make(id, flags, env);
    await node.start();
    return node;
  }

  /** n1, n2, … form a cluster. */
  async form(size: number): Promise<NodeProcess[]> {
    const ids = Array.from({ length: size }, (_, at) => `n${at + 1}`);
    const places = this.#places(ids);
    const peers = places.map(({ host = "127.0.0.1", port }, at) => `${ids[at]}=http://${host}:${port}`);
    const nodes = places.map((place, at) => this.#make(ids[at] ?? "", place, ["--peers", peers.join()]));
    await Promise.all(nodes.map((node) => node.start()));
    await Promise.all(nodes.map((node) => node.ready()));
    return nodes;
  }

  async view(node: NodeProcess): Promise<View> {
    const response = await node.fetch("/v1/cluster");
    return await response.json() as View;
  }

  /** Waits until these ids vote, nobody else does, and no change is running, as `node` sees it. */
  async voters(node: NodeProcess, ids: readonly string[], deadlineMs = 15_000): Promise<View> {
    return await eventually(async () => {
      const view = await this.view(node);
      const { voters, joint } = view.configuration;
      if (joint || [...voters].sort().join() !== [...ids].sort().join()) {
        throw new Error(JSON.stringify(view));
      }
      return view;
    }, { deadlineMs, what: `${ids.join()} are the voters` });
  }

  async leader(deadlineMs = 15_000): Promise<NodeProcess> {
    return await eventually(async () => {
      for (const node of this.running) {
        const { leader } = await this.view(node);
        if (leader !== null && this.#nodes.get(leader)?.running === true) return this.node(leader);
      }
      return null;
    }, { deadlineMs, what: "a running leader is known" });
  }

  /** Until the cluster takes a write. */
  async put(node: NodeProcess, key: string, value: string): Promise<void> {
    await eventually(async () => {
      const response = await node.fetch(`/v1/kv/${key}`, { method: "PUT", body: value });
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      return true;
    }, { deadlineMs: 15_000, what: `${node.id} takes ${key}` });
  }

  /** Runs a command against one node; its output, or a failure that shows it. */
  async run(node: NodeProcess, ...args: readonly string[]): Promise<string> {
    const result = await runCoracle([...args, "--url", node.url]);
    assert(result.code === 0, `coracle ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.running.map((node) => node.kill()));
  }

  assertHealthyLogs(): void {
    for (const node of this.#nodes.values()) {
      const line = node.logLines.find(({ fatal, message }) =>
        fatal === true || /invariant|nobody handled/.test(message)
      );
      assert(line === undefined, `${node.id} says: ${JSON.stringify(line)}`);
    }
  }

  #make(id: string, place: Place, flags: readonly string[], env: Record<string, string> = {}): NodeProcess {
    const all = [...pace, ...(place.flags ?? []), ...flags];
    const node = new NodeProcess({ ...place, id, data: this.data(id), flags: all, env });
    this.#nodes.set(id, node);
    return node;
  }

  logs(): string {
    return [...this.#nodes.values()].map((node) => node.logTail(25)).join("\n");
  }
}

export async function withFleet(test: (fleet: Fleet) => Promise<void>, places?: Places): Promise<void> {
  await using folder = await tempFolder("fleet");
  const fleet = new Fleet(folder.path, places);
  try {
    await test(fleet);
    fleet.assertHealthyLogs();
  } catch (error) {
    console.error(fleet.logs());
    throw error;
  } finally {
    await fleet.killAll();
  }
}
