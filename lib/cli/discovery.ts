// `--discover dns:name[:port]`: addresses of other nodes by A and AAAA records, asked again and again as long as this node
// is in no cluster or misses a member of it. Who may form a cluster together is judged in lib/replica/formation.ts; here
// is only where to dial.
import { Resolver } from "node:dns/promises";
import type { Log } from "../replica/ports.ts";
import { urlOf } from "./addresses.ts";
import { wrongUsage } from "./failure.ts";

export type DiscoveryName = { readonly name: string; readonly port: number };

/** outside = in no cluster yet; cut_off = some member of its cluster is not linked; settled = nothing to discover. */
export type DiscoveryStage = "outside" | "cut_off" | "settled";

export type DiscoveryOptions = {
  readonly target: DiscoveryName;
  readonly resolver: Resolver;
  readonly log: Log;
  /** `stage` as of now: what a member looks for may be stale soon. */
  readonly dial: (url: string, stage: DiscoveryStage) => void;
  /** While outside: everything that the name stands for now; null = that is not known in full, and was never yet. */
  readonly found: (urls: readonly string[] | null) => void;
  readonly stage: () => DiscoveryStage;
};

/** Between two looks. */
const everyMs = { outside: 1_000, cut_off: 3_000, settled: 3_000 } as const;

/** `dns:name[:port]`; null when it is something else. */
export function discoveryName(text: string, defaultPort: number): DiscoveryName | null {
  const match = /^dns:([A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?$/.exec(text);
  if (match?.[1] === undefined) return null;
  const port = match[2] === undefined ? defaultPort : Number(match[2]);
  return port >= 1 && port <= 65_535 ? { name: match[1], port } : null;
}

/** Returns how to stop. */
export function startDiscovery({ target, resolver, log, dial, found, stage }: DiscoveryOptions): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let said = "";
  let knew = false;
  const say = (level: "info" | "warning", message: string) => {
    if (message !== said) log(level, message);
    said = message;
  };
  const look = async () => {
    const before = stage();
    if (before !== "settled") {
      const { addresses, complete, trouble } = await resolve(target.name, resolver);
      if (stopped) return;
      const urls = addresses.map((address) => urlOf(address, target.port));
      for (const url of urls) dial(url, before);
      // What is only half known is no ground to form a cluster on; what was known in full before still holds.
      knew ||= complete;
      if (before === "outside" && (complete || !knew)) found(complete ? urls : null);
      if (trouble !== null) say("warning", `discovery: ${trouble}`);
      else say("info", `discovery: ${target.name} has ${addresses.length} addresses`);
    }
    timer = setTimeout(look, everyMs[before]);
  };
  void look();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}

/** Asks the system's DNS servers, or those that are given: `10.0.0.53:5353`, comma-separated. Throws a Failure. */
export function resolverOf(servers: string | null): Resolver {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  if (servers === null) return resolver;
  try {
    resolver.setServers(servers.split(",").map((server) => server.trim()));
  } catch {
    throw wrongUsage(
      `CORACLE_DNS_SERVER "${servers}": addresses such as 10.0.0.53 or 10.0.0.53:5353 are expected`,
    );
  }
  return resolver;
}

type Found = {
  readonly addresses: readonly string[];
  /** There are some, and both questions were answered. */
  readonly complete: boolean;
  /** Why there are none, for people; null = there are some. */
  readonly trouble: string | null;
};

/** All addresses, each once. */
async function resolve(name: string, resolver: Resolver): Promise<Found> {
  const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
  const addresses = answers.flatMap((answer) => answer.status === "fulfilled" ? answer.value : []);
  const codes = answers.flatMap((answer) => answer.status === "rejected" ? [codeOf(answer.reason)] : []);
  const servers = resolver.getServers().join(", ") || "none";
  return {
    addresses: [...new Set(addresses)].sort(),
    complete: addresses.length > 0 && codes.every((code) => isNothing(code)),
    trouble: addresses.length > 0 ? null : sentenceOf(name, codes, servers),
  };
}

/** The server says that there are no such records. */
function isNothing(code: string): boolean {
  return code === "ENODATA" || code === "ENOTFOUND";
}

function codeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : error;
  return String(code).replace(/^DNS_/, "");
}

/** What failed, at which server, and what to do. */
function sentenceOf(name: string, codes: readonly string[], servers: string): string {
  // The runtime does not tell a name that is not there from one without such records.
  if (codes.every(isNothing)) {
    return `the DNS server (${servers}) has no A or AAAA record of ${name} (yet): ` +
      `is the name in --discover right? Asking again`;
  }
  return `no answer about ${name} from the DNS server (${servers}; ${codes.join(", ")}): ` +
    `is it reachable? CORACLE_DNS_SERVER names another one. Asking again`;
}
