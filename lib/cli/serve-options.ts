// What `coracle serve` can be told (api.md), and what of it must not be together.
import type { Command } from "commander";
import * as v from "valibot";
import { isLoopbackHost } from "../notation/mod.ts";
import { idPattern, idRule } from "../raft/mod.ts";
import { isWildcard, nodeUrlOrNone, peerList, urlList } from "./addresses.ts";
import { type DiscoveryName, discoveryName } from "./discovery.ts";
import { wrongUsage } from "./failure.ts";
import { flyId, withFly } from "./fly.ts";
import {
  durationOrNone,
  type Environment,
  list,
  oneOf,
  type Settings,
  text,
  textOr,
  toggle,
  type Values,
  valuesOf,
  wholeNumber,
  wholeNumberOrNone,
} from "./settings.ts";

export const serveSettings = {
  id: {
    flags: "--id <id>",
    variables: ["NODE_ID"],
    help: "this node's id (default: made once, kept in the data folder)",
    schema: v.pipe(
      v.optional(v.pipe(v.string(), v.regex(idPattern, idRule))),
      v.transform((value) => value ?? null),
    ),
  },
  host: {
    flags: "--host <address>",
    variables: ["HOST"],
    help: "address to listen on (default: 127.0.0.1)",
    schema: textOr("127.0.0.1"),
  },
  port: {
    flags: "--port <number>",
    variables: ["PORT"],
    help: "port for clients and replicas; 0 picks one (default: 8080)",
    schema: wholeNumber(8080, 0, 65535),
  },
  advertise: {
    flags: "--advertise <url>",
    variables: ["ADVERTISE"],
    help: "URL under which others reach this node (default: http://HOST:PORT)",
    schema: nodeUrlOrNone(),
  },
  data: {
    flags: "--data <folder>",
    variables: ["DATA_DIR"],
    help: "everything this node keeps (default: ./data)",
    schema: textOr("./data"),
  },
  peers: {
    flags: "--peers <list>",
    variables: ["PEERS"],
    help: "the first configuration: n1=http://10.0.0.1:8080,n2=…",
    schema: peerList(),
  },
  join: {
    flags: "--join <urls>",
    variables: ["JOIN"],
    help: "URLs of members, comma-separated: enter their cluster; later, further addresses to dial",
    schema: urlList(),
  },
  role: {
    flags: "--role <role>",
    variables: ["ROLE"],
    help: "voter, or learner: replicates and serves reads, never votes (default: voter)",
    schema: oneOf(["voter", "learner"], "voter"),
  },
  discover: {
    flags: "--discover <dns:name[:port]>",
    variables: ["DISCOVER"],
    help: "find the other nodes by the A and AAAA records of a name, also when all have moved",
    schema: text(),
  },
  expect: {
    flags: "--expect <number>",
    variables: ["EXPECT"],
    help: "with --discover: how many nodes make the first cluster; without it one is only joined",
    schema: wholeNumberOrNone(1, 999),
  },
  heartbeatMs: {
    flags: "--heartbeat-ms <ms>",
    variables: ["HEARTBEAT_MS"],
    help: "time between two heartbeats of a leader (default: 100)",
    schema: wholeNumber(100, 5, 60_000),
  },
  electionMs: {
    flags: "--election-ms <ms>",
    variables: ["ELECTION_MS"],
    help: "election timeout, drawn from [1×, 2×) (default: 500)",
    schema: wholeNumber(500, 20, 600_000),
  },
  maxValueBytes: {
    flags: "--max-value-bytes <bytes>",
    variables: ["MAX_VALUE_BYTES"],
    help:
      "largest value that is taken (default: 1048576); more than 4 MiB a second of --election-ms is refused",
    schema: wholeNumber(1_048_576, 1, 16 * 1_048_576),
  },
  secret: {
    flags: "--secret <text>",
    variables: ["CLUSTER_SECRET"],
    help: "shared by all replicas; without it only links over loopback are accepted",
    schema: text(),
  },
  token: {
    flags: "--token <tokens>",
    variables: ["TOKEN"],
    help: "bearer token(s) that clients must show, comma-separated",
    schema: list(),
  },
  open: {
    flags: "--open",
    variables: ["OPEN"],
    help: "let clients beyond loopback in without --token",
    schema: toggle(),
  },
  region: {
    flags: "--region <name>",
    variables: ["REGION", "FLY_REGION"],
    help: "shown to people",
    schema: text(),
  },
  leaderRouting: {
    flags: "--leader-routing <how>",
    variables: ["LEADER_ROUTING"],
    help: "what a follower does with a write: forward, redirect, or fly-replay (default: forward)",
    schema: oneOf(["forward", "redirect", "fly-replay"], "forward"),
  },
  metricsHost: {
    flags: "--metrics-host <address>",
    variables: ["METRICS_HOST"],
    help: "address of --metrics-port (default: 127.0.0.1)",
    schema: textOr("127.0.0.1"),
  },
  metricsPort: {
    flags: "--metrics-port <number>",
    variables: ["METRICS_PORT"],
    help: "a second port with GET /metrics and nothing else, without a token: keep it private",
    schema: wholeNumberOrNone(0, 65535),
  },
  rejoin: {
    flags: "--rejoin",
    variables: [],
    help: "after a removal or a refusal: enter the cluster anew, as another replica with an empty folder",
    schema: toggle(),
  },
  leaveOnExit: {
    flags: "--leave-on-exit",
    variables: [],
    help: "leave the cluster on SIGTERM",
    schema: toggle(),
  },
  removeDeadAfter: {
    flags: "--remove-dead-after <time>",
    variables: [],
    help: "while this node leads: remove members that nobody has heard of for so long, e.g. 24h",
    schema: durationOrNone(),
  },
  logLevel: {
    flags: "--log-level <level>",
    variables: ["LOG_LEVEL"],
    help: "debug, info, warning or error (default: info)",
    schema: v.pipe(
      v.optional(v.string(), "info"),
      v.transform((value) => value === "warn" ? "warning" : value),
      v.picklist(["debug", "info", "warning", "error"], "one of debug, info, warning, error is expected"),
    ),
  },
  logFormat: {
    flags: "--log-format <format>",
    variables: ["LOG_FORMAT"],
    help: "text or json (default: text)",
    schema: oneOf(["text", "json"], "text"),
  },
} satisfies Settings;

export type ServeOptions =
  & Omit<Values<typeof serveSettings>, "discover">
  & {
    readonly discover: DiscoveryName | null;
    /** For a disk that has no id yet; null = one is made. */
    readonly defaultId: string | null;
  };

/** Throws a Failure that says what is wrong with which flag or variable. */
export function serveOptions(command: Command, given: Environment): ServeOptions {
  const { port } = valuesOf({ port: serveSettings.port }, command, given);
  const environment = withFly(given, port);
  const { discover: named, ...options } = valuesOf(serveSettings, command, environment);
  const discover = named === null ? null : discoveryName(named, options.port);
  if (named !== null && discover === null) {
    throw wrongUsage(`--discover "${named}": dns:name or dns:name:port is expected`);
  }
  if (options.expect !== null && discover === null) throw wrongUsage("--expect goes with --discover");
  const others = (options.peers ?? []).some(({ id }) => id !== options.id);
  if (options.role === "learner" && options.join.length === 0 && discover === null && !others) {
    throw wrongUsage("--role learner needs a cluster to follow: give --join");
  }
  if (options.electionMs < 2 * options.heartbeatMs) {
    throw wrongUsage(
      `--election-ms ${options.electionMs} is less than twice --heartbeat-ms ${options.heartbeatMs}: ` +
        `followers would give a living leader up`,
    );
  }
  checkValueSize(options);
  checkPatience(options);
  const secret = usableSecret(options.secret);
  const all = { ...options, secret, discover, defaultId: flyId(environment) };
  checkExposure(all, options.id ?? all.defaultId);
  return all;
}

/**
 * A large value holds a node's event loop while it is checked, copied and written, and heartbeats wait with it. Measured
 * on two busy cores: 4 MiB at an election timeout of 500 ms depose the leader, 4 MiB at 1 s and 16 MiB at 2 s do not.
 */
const valueBytesPerElectionMs = 4 * 1_048_576 / 1_000;
const alwaysFineBytes = 1_048_576;

function checkValueSize(
  { maxValueBytes, electionMs }: Pick<ServeOptions, "maxValueBytes" | "electionMs">,
): void {
  if (maxValueBytes <= Math.max(alwaysFineBytes, electionMs * valueBytesPerElectionMs)) return;
  const neededMs = Math.ceil(maxValueBytes / valueBytesPerElectionMs);
  throw wrongUsage(
    `--max-value-bytes ${maxValueBytes} needs --election-ms ${neededMs}: ` +
      `such values hold up heartbeats, and the leader would be given up`,
  );
}

/** Fewer are a pause, not a death. */
const electionsToDeath = 3;

function checkPatience(
  { removeDeadAfter, electionMs }: Pick<ServeOptions, "removeDeadAfter" | "electionMs">,
): void {
  const leastMs = electionsToDeath * electionMs;
  if (removeDeadAfter === null || removeDeadAfter >= leastMs) return;
  throw wrongUsage(
    `--remove-dead-after is less than ${electionsToDeath} election timeouts (${leastMs} ms): ` +
      `a node that only restarts would lose its place`,
  );
}

const leastSecretLength = 8;

/** Blanks around it are no part of it, and an empty one is none. It is not shown: logs keep what stands here. */
function usableSecret(given: string | null): string | null {
  const secret = given?.trim() ?? "";
  if (secret === "") return null;
  if (secret.length >= leastSecretLength) return secret;
  throw wrongUsage(
    `--secret is too short: at least ${leastSecretLength} characters are expected, such as \`openssl rand -hex 32\` gives`,
  );
}

/**
 * Nothing listens beyond loopback without a secret and a token unless told so. `id` is null as long as only the disk
 * knows it; then what depends on it is left for the second call.
 */
export function checkExposure(options: ServeOptions, id: string | null): void {
  const { host, token, open } = options;
  if (!isLoopbackHost(host) && token.length === 0 && !open) {
    throw wrongUsage(`--host ${host} is beyond loopback: give --token, or --open to let anybody in`);
  }
  if (id === null) return;
  checkLinks(options, id);
  if (isWildcard(host) && ownUrl(options, id) === null) {
    throw wrongUsage(
      `--host ${host} is no address that others can dial: give --advertise http://THIS-MACHINE:PORT, ` +
        `or this node's own entry in --peers`,
    );
  }
}

function checkLinks({ host, peers, join, secret }: ServeOptions, id: string): void {
  const farMember = join.find((url) => !isLoopbackHost(new URL(url).hostname));
  if (secret === null && farMember !== undefined) {
    throw wrongUsage(`${farMember} is not on loopback: links to it need --secret, the same on every node`);
  }
  const others = (peers ?? []).filter((peer) => peer.id !== id);
  if (secret !== null || others.length === 0) return;
  const far = others.find((peer) => !isLoopbackHost(new URL(peer.url).hostname));
  if (far !== undefined) {
    throw wrongUsage(
      `${far.id} at ${far.url} is not on loopback: links to it need --secret, the same on every node`,
    );
  }
  if (!isLoopbackHost(host)) {
    throw wrongUsage(
      `--host ${host} is beyond loopback: with other replicas it needs --secret, the same on every node`,
    );
  }
}

/** The URL that was given for this node itself; null = http://HOST:PORT, once the port is known. */
export function ownUrl({ advertise, host, peers }: ServeOptions, id: string): string | null {
  if (advertise !== null) return advertise;
  return isWildcard(host) ? (peers ?? []).find((peer) => peer.id === id)?.url ?? null : null;
}
