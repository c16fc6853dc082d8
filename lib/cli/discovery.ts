// `--discover dns:name[:port]`: addresses of other nodes by A and AAAA records, asked again and again as long as this node
// is in no cluster. Who may form one together is judged in lib/replica/formation.ts; here is only where to dial.
import { Resolver } from "node:dns/promises";
import type { Log } from "../replica/ports.ts";
import { urlOf } from "./addresses.ts";

export type DiscoveryName = { readonly name: string; readonly port: number };

export type DiscoveryOptions = {
  readonly target: DiscoveryName;
  /** How many nodes make the first cluster; null = none is formed, one is joined. */
  readonly expect: number | null;
  /** Servers to ask instead of the system's: `127.0.0.1:5353`, comma-separated. */
  readonly servers: string | null;
  readonly log: Log;
  readonly dial: (url: string) => void;
  /** So many nodes may form a cluster; null = not even then, for what is known now. */
  readonly allow: (atLeast: number | null) => void;
  /** Whether there is still something to discover. */
  readonly isWanted: () => boolean;
};

const everyMs = 1_000;

/** `dns:name[:port]`; null when it is something else. */
export function discoveryName(text: string, defaultPort: number): DiscoveryName | null {
  const match = /^dns:([A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/.exec(text);
  if (match?.[1] === undefined) return null;
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  return port >= 1 && port <= 65_535 ? { name: match[1], port } : null;
}

/** Returns how to stop. */
export function startDiscovery(options: DiscoveryOptions): () => void {
  const { target, expect, servers, log, dial, allow, isWanted } = options;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let said = "";
  const say = (level: "info" | "warning" | "error", message: string) => {
    if (message !== said) log(level, message);
    said = message;
  };
  const look = async () => {
    if (stopped || !isWanted()) return;
    const addresses = await resolve(target.name, servers);
    if (stopped) return;
    for (const address of addresses) dial(urlOf(address, target.port));
    if (expect !== null && 2 * expect <= addresses.length) {
      const need = Math.floor(addresses.length / 2) + 1;
      say(
        "error",
        `--expect ${expect} is not more than half of the ${addresses.length} machines behind ${target.name}: ` +
          `two clusters could form. Give --expect ${need} or more`,
      );
      allow(null);
    } else {
      say("info", `discovery: ${target.name} has ${addresses.length} addresses`);
      allow(expect);
    }
    timer = setTimeout(look, everyMs);
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** All addresses, each once; none when the name is not known (yet), or no server answers. */
async function resolve(name: string, servers: string | null): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  if (servers !== null) resolver.setServers(servers.split(",").map((server) => server.trim()));
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const found = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
  return [...new Set(found)].sort();
}
