// `coracle serve`: one replica with its disk, its links and its HTTP edge, from the first line of the log to exit 0.
import type { Resolver } from "node:dns/promises";
import type { Command } from "commander";
import type { DirectoryEntry } from "../http/options.ts";
import { clock, openLog, random, scheduler, word } from "../host/mod.ts";
import {
  bunRuntime,
  createApp,
  createMetrics,
  ListenError,
  startMetricsServer,
  startServer,
} from "../http/mod.ts";
import { kvStateMachine } from "../kv/mod.ts";
import { isLoopbackHost } from "../notation/mod.ts";
import { idOf, members, type ReplicaId } from "../raft/mod.ts";
import { PeerLinks } from "../peers/mod.ts";
import {
  claimIdentity,
  type ClaimOptions,
  type LocalIdentity,
  mendRefused,
  setAsideSentence,
} from "../replica/identity.ts";
import type { DurableLog } from "../replica/durable-log.ts";
import type { Out } from "../replica/options.ts";
import type { Log } from "../replica/ports.ts";
import type { ReplicaStatus } from "../replica/api.ts";
import { Replica } from "../replica/replica.ts";
import { urlOf } from "./addresses.ts";
import { type DiscoveryStage, resolverOf, startDiscovery } from "./discovery.ts";
import { openDisk } from "./disk.ts";
import { Failure, finalFailure, wrongUsage } from "./failure.ts";
import { leave } from "./leaving.ts";
import { checkExposure, ownUrl, type ServeOptions, serveOptions, serveSettings } from "./serve-options.ts";
import { declare } from "./settings.ts";
import { onStopSignal } from "./signals.ts";
import { version } from "./version.ts";

/** An orderly stop takes up to 3 s together; what is not done by then is not waited for. */
const replicaStopMs = 2_000;
const serverStopMs = 500;
const stopMs = 2_800;

/** EX_SOFTWARE: a broken invariant, a failed disk, an error nobody expected. */
const brokenExitCode = 70;

export function addServe(program: Command, end: (code: number) => never): void {
  const command = program.command("serve").description("run one replica");
  declare(command, serveSettings).action(async () => {
    const options = serveOptions(command, process.env);
    // Values and the secret's traces are for this node's user only, also in a folder that was there before.
    process.umask(0o077);
    const log = openLog(options.logLevel, options.logFormat);
    // Whatever nobody handled has left something half done: ending at once is what a crash is, and crashes are survived.
    const broken = (what: string) => (error: unknown) => {
      log("error", what, { error: error instanceof Error ? error.stack ?? error.message : String(error) });
      end(brokenExitCode);
    };
    process.on("uncaughtException", broken("an exception that nobody handled: ending at once"));
    process.on("unhandledRejection", broken("a rejection that nobody handled: ending at once"));
    await serve(options, log, end);
  });
}

async function serve(options: ServeOptions, log: Log, end: (code: number) => never): Promise<void> {
  const resolver = resolverOf(process.env["CORACLE_DNS_SERVER"] || null);
  const stop = stopAsked(end);
  let life = await live(options, resolver, log, end, stop);
  // Where clients and others have it already, also if the port was picked.
  while (life.again) life = await live({ ...options, port: life.port }, resolver, log, end, stop);
}

/** One replica from its disk to its end. `again`: its disk says that it is out, and it may enter anew. */
async function live(
  options: ServeOptions,
  resolver: Resolver,
  log: Log,
  end: (code: number) => never,
  stop: Promise<string>,
): Promise<{ readonly again: boolean; readonly port: number }> {
  const fatal = (message: string) => {
    log("error", `this replica must not go on: ${message}`, { fatal: true });
    end(brokenExitCode);
  };
  const { folder, durableLog, state, space, setAside } = openDisk({
    ...{ folder: options.data, log, fatal },
    check: (durableLog) => checkAgainstDisk(options, durableLog),
    mayEnterAnew: (why) => mayEnterAnew(options, why),
  });
  const id = options.id ?? (durableLog.node() === null ? options.defaultId : null);
  const identity = await claim({ durableLog, id, random, word, setAside });
  if (identity.setAside !== null) log("warning", setAsideSentence(identity.setAside));
  const peers = (options.peers ?? []).filter((peer) => peer.id !== identity.id);
  const { discover, expect, role } = options;
  // What is on disk beats all of this.
  const joins = options.join.length > 0 || role === "learner" || (discover !== null && expect === null);

  let url = ownUrl(options, identity.id) ?? urlOf(options.host, options.port);
  const links = new PeerLinks({
    identity: () => identity.peerIdentity(url, version),
    admit: (peer) => identity.admit(peer),
    remembered: (replica) => lastProcess(identity, replica),
    ...{ secret: options.secret, log, clock, scheduler, random },
  });
  const out = Promise.withResolvers<Out>();
  const metrics = createMetrics();
  const replica = new Replica({
    ...{ identity, durableLog, state, links, clock, scheduler, random, space, log, fatal },
    machine: kvStateMachine,
    // Whom people list forms the cluster; a name beside the list only tells where they are.
    expected: joins || (discover !== null && options.peers === null)
      ? []
      : [identity.id, ...peers.map((peer) => peer.id)],
    membership: {
      ...{ join: joins, discovers: discover !== null, role, removeDeadAfterMs: options.removeDeadAfter },
      about: () => ({ url, region: options.region ?? "", software: version }),
    },
    heartbeatMs: options.heartbeatMs,
    electionMs: options.electionMs,
    out: (told) => concernsUs(told, options) && out.resolve(told),
    metrics: {
      onFsync: metrics.observeFsync,
      onStateCommit: metrics.observeStateCommit,
      onApplied: metrics.countApplied,
      onOutcome: metrics.countOutcome,
    },
  });
  const app = createApp({
    replica,
    node: {
      id: identity.id,
      version,
      region: options.region,
      // With port 0 it is known only once the server listens.
      get advertise() {
        return url;
      },
    },
    ...{ clock, log, metrics, runtime: bunRuntime },
    tokens: options.token,
    open: options.open,
    maxValueBytes: options.maxValueBytes,
    leaderRouting: options.leaderRouting,
    directory: () => directoryOf(peers, replica.directory()),
    traffic: () => links.traffic(),
  });
  const server = listen(() =>
    startServer({
      host: options.host,
      port: options.port,
      app,
      links,
      maxValueBytes: options.maxValueBytes,
      log,
    })
  );
  url = ownUrl(options, identity.id) ?? urlOf(options.host, server.port);
  const metricsServer = listenForMetrics(options, app);
  replica.start();
  for (const peer of peers) links.dial(peer.url);
  for (const member of options.join) links.dial(member);
  let stopDiscovery = () => {};
  if (discover !== null) {
    stopDiscovery = startDiscovery({
      ...{ target: discover, resolver, log },
      dial: (found, stage) => stage === "outside" ? links.dial(found) : links.dial(found, null),
      found: (urls) => {
        if (joins || options.peers !== null) return;
        replica.discovering(urls === null ? null : expect, urls?.map((found) => links.at(found)));
      },
      stage: () => discoveryStage(replica.status()),
    });
  }
  log("info", "serving", {
    id: identity.id,
    cluster: identity.clusterId ?? "forming",
    url,
    data: folder,
    peers: peers.map((peer) => `${peer.id}=${peer.url}`).join(",") || "none",
    incarnation: identity.node.incarnation,
    start: identity.bootCount,
    version,
    ...metricsServer === null ? {} : { metrics: urlOf(options.metricsHost, metricsServer.port) },
  });

  const ending = await Promise.race([stop, out.promise]);
  const told = typeof ending === "string" ? null : ending;
  if (told === null && options.leaveOnExit) await leave(replica, identity, log);
  const again = told !== null && told.why !== "taken";
  const why = again ? "to enter the cluster anew" : told === null ? null : "it is not let in";
  log("info", "stopping", why === null ? { signal: ending } : { why });
  const patience = setTimeout(() => {
    log("warning", "stopping took too long: ending now; what was acknowledged is on disk");
    end(told === null ? 0 : 1);
  }, stopMs);
  stopDiscovery();
  // The replica first: it hands leadership over through the links and lets what is under way end; meanwhile the server
  // answers whatever comes with 503.
  await replica.stop(replicaStopMs);
  links.close();
  await Promise.all([server.stop(serverStopMs), metricsServer?.stop()]);
  clearTimeout(patience);
  log("info", "stopped", { id: identity.id });
  if (told?.why === "taken") throw finalFailure(told.sentence);
  return { again, port: server.port };
}

/** Whether this process is to do something about it; else the node stays as it is, and says what it is. */
function concernsUs(out: Out, { rejoin, ...options }: ServeOptions): boolean {
  if (out.why === "taken") return true;
  // Whom people remove while it is there is meant to be out, --rejoin or not.
  return rejoin && knowsOthers(options) && (out.why === "refused" || out.away);
}

/** What can only be judged with the disk's word on who this node is. Throws a Failure. */
function checkAgainstDisk(options: ServeOptions, durableLog: DurableLog): void {
  const node = durableLog.node();
  const id = options.id ?? node?.id ?? options.defaultId;
  const { host, peers, secret } = options;
  if (id === null && (peers ?? []).length > 0) {
    throw wrongUsage("--peers needs --id at a node's first start: which of them is this one?");
  }
  if (node?.removed === true) {
    throw finalFailure(
      `this node was removed from its cluster: start it with --rejoin and --join URL to enter anew, ` +
        `or keep its data folder ${options.data} aside`,
    );
  }
  if (node?.refused !== undefined) throw finalFailure(`${node.refused}; ${mendRefused}`);
  checkExposure(options, id);
  if (isLoopbackHost(host)) return;
  if (node?.started !== true && peers === null && options.join.length === 0 && options.discover === null) {
    throw wrongUsage(
      `--host ${host} is beyond loopback: a new cluster of one must be asked for with --peers that names only this node`,
    );
  }
  if ((node?.record?.length ?? 0) > 1 && secret === null) {
    throw wrongUsage(
      `--host ${host} is beyond loopback: this cluster's other replicas need --secret, the same everywhere`,
    );
  }
}

/** A node whose log lies may become another replica where others are there to take it in; its id must be known. */
function mayEnterAnew(options: ServeOptions, why: string): boolean {
  const { id, defaultId, rejoin } = options;
  const others = knowsOthers(options);
  if (why === "corrupt") return others && (id ?? defaultId) !== null;
  if (rejoin && !others) throw wrongUsage("--rejoin needs to know where: give --join or --peers");
  return rejoin;
}

function knowsOthers(
  { id, defaultId, peers, join, discover }: Pick<
    ServeOptions,
    "id" | "defaultId" | "peers" | "join" | "discover"
  >,
): boolean {
  const own = id ?? defaultId;
  return join.length > 0 || discover !== null || (peers ?? []).some((peer) => peer.id !== own);
}

/** People's lists first, then what gossip knows better. */
function directoryOf(
  peers: readonly { readonly id: string; readonly url: string }[],
  known: ReturnType<Replica["directory"]>,
): Map<string, DirectoryEntry> {
  const listed = peers.map(({ id, url }) => [id, { url, region: null, version: null }] as const);
  const directory = new Map<string, DirectoryEntry>(listed);
  for (const { replica, url, region, version, ageMs, unreachableFrom } of known) {
    const said = ageMs === null ? {} : { ageMs };
    const names = { url: url || directory.get(idOf(replica))?.url || null, region: region || null };
    const entry = { ...names, ...said, version: version || null, unreachableFrom: unreachableFrom.map(idOf) };
    directory.set(replica, entry);
    directory.set(idOf(replica), entry);
  }
  return directory;
}

/** A member without a link may have moved, and all may have moved at once: then only the name knows where. */
function discoveryStage({ phase, replica, configuration, connected }: ReplicaStatus): DiscoveryStage {
  if (phase === "forming" || phase === "joining") return "outside";
  const known = new Set([replica, ...connected.map((peer) => peer.replica)]);
  const all = phase !== "running" || configuration === null ? [] : members(configuration.configuration);
  return all.every((member) => known.has(member)) ? "settled" : "cut_off";
}

/** Which process of a replica was seen last, and where, as the disk remembers. */
function lastProcess({ node }: LocalIdentity, replica: ReplicaId) {
  const boot = node.peerBoots[replica];
  return boot === undefined ? null : { ...boot, url: node.urls?.[replica] ?? "" };
}

function claim(options: ClaimOptions): Promise<LocalIdentity> {
  return new Promise((resolve, reject) => {
    claimIdentity(options, (claimed) => {
      if (claimed.ok) resolve(claimed.identity);
      else reject(new Failure(claimed.message));
    });
  });
}

function listenForMetrics(
  { metricsHost, metricsPort, token }: ServeOptions,
  app: ReturnType<typeof createApp>,
) {
  if (metricsPort === null) return null;
  return listen(() => startMetricsServer({ host: metricsHost, port: metricsPort, app, tokens: token }));
}

function listen<Server>(start: () => Server): Server {
  try {
    return start();
  } catch (error) {
    throw error instanceof ListenError ? new Failure(error.message) : error;
  }
}

/** Resolves with what asked for the stop: a signal, or for children of `dev` and of tests the end of their stdin. */
function stopAsked(end: (code: number) => never): Promise<string> {
  return new Promise((resolve) => {
    onStopSignal(resolve, () => end(130));
    if (process.env["CORACLE_STOP_WITH_STDIN"]) {
      process.stdin.on("end", () => resolve("end of stdin"));
      process.stdin.resume();
    }
  });
}
