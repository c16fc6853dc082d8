// `coracle dev`: several replicas on this machine, one process each, one stream of logs, until Ctrl-C.
import type { Subprocess } from "bun";
import type { Command } from "commander";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { Client } from "../client/mod.ts";
import { urlOf } from "./addresses.ts";
import { Failure } from "./failure.ts";
import { selfCommand } from "./self-command.ts";
import { linesOf } from "./lines.ts";
import { serveSettings } from "./serve-options.ts";
import { asFailure } from "./session.ts";
import { declare, type Settings, textOr, valuesOf, wholeNumber } from "./settings.ts";
import { onStopSignal } from "./signals.ts";

const settings = {
  nodes: {
    flags: "--nodes <number>",
    variables: ["NODES"],
    help: "how many replicas (default: 3)",
    schema: wholeNumber(3, 1, 9),
  },
  port: {
    flags: "--port <number>",
    variables: ["PORT"],
    help: "port of the first; the others follow (default: 8080)",
    schema: wholeNumber(8080, 1, 65_000),
  },
  data: {
    flags: "--data <folder>",
    variables: ["DATA_DIR"],
    help: "one folder each inside it (default: ./data)",
    schema: textOr("./data"),
  },
  logLevel: serveSettings.logLevel,
  logFormat: serveSettings.logFormat,
} satisfies Settings;

const host = "127.0.0.1";
const colours = [36, 33, 35, 32, 34, 31];

type Node = {
  readonly id: string;
  readonly url: string;
  readonly command: readonly string[];
  child: Subprocess;
};

export function addDev(program: Command, end: (code: number) => never): void {
  const command = program.command("dev").description("several replicas on this machine, to try things out");
  declare(command, settings).action(async () => {
    const { nodes, port, data, logLevel, logFormat } = valuesOf(settings, command, process.env);
    for (let at = 0; at < nodes; at++) refuseTakenPort(port + at);
    const peers = Array.from({ length: nodes }, (_, at) => `n${at + 1}=${urlOf(host, port + at)}`).join(",");
    const running = Array.from({ length: nodes }, (_, at) =>
      startNode(at, urlOf(host, port + at), [
        ...[
          "--id",
          `n${at + 1}`,
          "--host",
          host,
          "--port",
          String(port + at),
          "--data",
          `${data}/n${at + 1}`,
        ],
        ...["--peers", peers, "--log-level", logLevel, "--log-format", logFormat],
      ]));
    // The replicas take it from the environment, too.
    const tokens = v.parse(serveSettings.token.schema, process.env["TOKEN"]);
    await runUntilStopped(running, { data, tokens }, end);
  });
}

/** What is common to all of them: where they keep things, and the tokens that clients must show. */
type Common = { readonly data: string; readonly tokens: readonly string[] };

async function runUntilStopped(
  nodes: readonly Node[],
  common: Common,
  end: (code: number) => never,
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  let stopping = false;
  const killAll = (signal: NodeJS.Signals) => {
    for (const { child } of nodes) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    }
  };
  const forget = onStopSignal(() => {
    stopping = true;
    say("stopping all …");
    killAll("SIGTERM");
    stopped.resolve();
  }, () => {
    killAll("SIGKILL");
    end(130);
  });
  for (const node of nodes) {
    node.child.exited.then(() => {
      if (!stopping) say(obituary(node));
    });
  }
  const allEnded = Promise.all(nodes.map(({ child }) => child.exited));
  announce(nodes, common, () => stopping).catch((error: unknown) => {
    const why = asFailure(error, nodes.map(({ url }) => url));
    say(`coracle: what to try cannot be told: ${why instanceof Error ? why.message : String(why)}`);
  });
  await Promise.race([stopped.promise, allEnded]);
  if (!stopping) throw new Failure("every replica has ended; the lines above say why");
  const patience = setTimeout(() => killAll("SIGKILL"), 5_000);
  await allEnded;
  clearTimeout(patience);
  forget();
}

function startNode(at: number, url: string, flags: readonly string[]): Node {
  const id = `n${at + 1}`;
  const command = [...selfCommand(), "serve", ...flags];
  const child = Bun.spawn(command, {
    env: { ...withoutServeVariables(process.env), CORACLE_STOP_WITH_STDIN: "1" },
    // A group of its own: Ctrl-C in the terminal is for this process, which then stops the replicas in order. Should
    // this process be killed, the end of their stdin stops them.
    detached: true,
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const colour = colours[at % colours.length];
  const prefix = process.stdout.isTTY ? `\x1b[${colour}m${id} │\x1b[0m ` : `${id} | `;
  passLines(child.stdout, prefix);
  passLines(child.stderr, prefix);
  return { id, url, command, child };
}

/** What was meant for one `serve` must not reach all of them; secrets and sizes may. */
function withoutServeVariables(
  environment: Record<string, string | undefined>,
): Record<string, string | undefined> {
  const kept = { ...environment };
  const own = [
    "id",
    "host",
    "port",
    "advertise",
    "data",
    "peers",
    "join",
    "discover",
    "expect",
    "role",
  ] as const;
  for (const name of own) for (const variable of serveSettings[name].variables) delete kept[variable];
  return kept;
}

async function passLines(stream: ReadableStream<Uint8Array>, prefix: string): Promise<void> {
  for await (const line of linesOf(stream)) say(prefix + line);
}

/** Says where to look and what to try, once all are ready. */
async function announce(
  nodes: readonly Node[],
  { data, tokens }: Common,
  stopping: () => boolean,
): Promise<void> {
  for (const node of nodes) {
    while (!(await isReady(node.url))) {
      if (stopping() || node.child.exitCode !== null || node.child.signalCode !== null) return;
      await sleep(50);
    }
  }
  const [first = "", second = first, last = second] = nodes.map(({ url }) => url);
  const leader = await leaderOf(nodes, tokens[0]);
  const curl = `curl${tokenHint(tokens)}`;
  say(`
${nodes.length === 1 ? "one replica is" : `${nodes.length} replicas are`} ready; what they keep is in ${data}

${nodes.map(({ id, url, child }) => `  ${id}  ${url}  (process ${child.pid})`).join("\n")}

try:
  ${curl} -X PUT ${first}/v1/kv/greetings/hello -d 'ahoy'
  ${curl} ${second}/v1/kv/greetings/hello
  ${curl} '${last}/v1/kv?prefix=greetings/'
  ${curl} ${first}/v1/cluster
  kill -9 ${leader.child.pid}   # ${leader.id} leads; go on reading and writing at the others

Ctrl-C stops all.
`);
}

/** The variable and not its value: what is on a screen is read by others, too. */
function tokenHint(tokens: readonly string[]): string {
  if (tokens.length === 0) return "";
  return ` -H "Authorization: Bearer ${tokens.length === 1 ? "$TOKEN" : "${TOKEN%%,*}"}"`;
}

/** As the first node sees it; the first itself where that is not clear. */
async function leaderOf(nodes: readonly Node[], token: string | undefined): Promise<Node> {
  const [first] = nodes;
  if (first === undefined) throw new Failure("a cluster needs a node");
  const { leader } = await new Client({ urls: [first.url], token }).cluster();
  return nodes.find(({ id }) => id === leader) ?? first;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(1_000) })).ok;
  } catch {
    return false;
  }
}

function obituary({ id, child, command }: Node): string {
  const how = child.signalCode
    ? `was ended by ${child.signalCode}`
    : `ended with exit code ${child.exitCode}`;
  return `${id} ${how}; the others go on. Start it again with:\n  ${command.join(" ")}`;
}

/** Before anything is started, so that the message is about the port and not about a child. */
function refuseTakenPort(port: number): void {
  try {
    Bun.listen({ hostname: host, port, socket: { data() {} } }).stop(true);
  } catch {
    throw new Failure(`port ${port} is taken: stop what listens there, or choose others with --port`);
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
