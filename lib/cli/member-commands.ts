// Who belongs to the cluster, and changing that: members, add, remove, replace, promote, transfer, leave.
import type { Command } from "commander";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Client,
  type Cluster,
  ProblemError,
  type Request,
  UnexpectedAnswer,
  withQuery,
} from "../client/mod.ts";
import { nodeUrl } from "./addresses.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { printJson, printLine, shown, table } from "./output.ts";
import { replacement } from "./replacement.ts";
import { clientCommand, clientOf, type Session } from "./session.ts";
import { declare, oneOf, type Settings, toggle, valuesOf } from "./settings.ts";

const forcing = {
  force: {
    flags: "--force",
    variables: [],
    help: "even if no live majority of voters is left",
    schema: toggle(),
  },
} satisfies Settings;

const adding = {
  role: {
    flags: "--role <role>",
    variables: [],
    help: "voter or learner (default: voter)",
    schema: oneOf(["voter", "learner"], "voter"),
  },
  ...forcing,
} satisfies Settings;

export function addMemberCommands(program: Command): void {
  clientCommand(program.command("members").description("who belongs to the cluster"), members);
  const added = program.command("add").description(
    "let a node in that waits for it, or make it what it is to be",
  )
    .argument("<id>").argument("[url]", "where it can be reached, if it has not been heard of");
  clientCommand(declare(added, adding), (session, command) => {
    const [id = "", url = null] = command.args;
    if (url !== null && nodeUrl(url) === null) {
      throw wrongUsage(`"${url}" is no URL such as http://10.0.0.1:8080`);
    }
    return add(session, { id, url, ...valuesOf(adding, command, {}) });
  });
  const promoted = program.command("promote").description("make a learner a voter").argument("<id>");
  clientCommand(declare(promoted, forcing), (session, command) => {
    const [id = ""] = command.args;
    return add(session, { id, url: null, role: "voter", ...valuesOf(forcing, command, {}) });
  });
  const removed = program.command("remove").description("remove a member").argument("<id>");
  clientCommand(declare(removed, forcing), (session, command) => {
    const [id = ""] = command.args;
    return remove(session, session.client, id, valuesOf(forcing, command, {}).force);
  });
  const replaced = program.command("replace").description("replace a member by another one, in one step")
    .argument("<old>").argument("<new>", "a member already, as learner or voter: start it with --join");
  clientCommand(declare(replaced, forcing), (session, command) => {
    const [old = "", by = ""] = command.args;
    if (old === by) throw wrongUsage(`replace ${old} ${by}: a member cannot take its own place`);
    return replace(session, old, by, valuesOf(forcing, command, {}).force);
  });
  const transferred = program.command("transfer").description("hand leadership over")
    .argument("[id]", "to whom (default: the voter that is furthest)");
  clientCommand(transferred, (session, command) => transfer(session, command.args[0] ?? null));
  const left = program.command("leave").description("take the node at --url out of its cluster")
    .argument("[id]", "which it is to be; needed where --url names several");
  clientCommand(declare(left, forcing), (session, command) => {
    const [id = null] = command.args;
    if (id === null && session.urls.length > 1) {
      throw wrongUsage("leave takes the node at --url out, and that is several: give one, or the node's id");
    }
    return leave(session, id, valuesOf(forcing, command, {}).force);
  });
}

async function members({ client, json }: Session): Promise<void> {
  const { members: all, leader } = await client.cluster();
  if (json) return await printJson(all);
  const rows = all.map(({ id, role, url, incarnation, region, version }) => [
    shown(id),
    id === leader ? "leader" : role,
    url ?? "(address not known)",
    incarnation ?? "",
    region ?? "",
    version ?? "",
  ]);
  await printLine(table([["NODE", "ROLE", "ADDRESS", "INCARNATION", "REGION", "VERSION"], ...rows]));
}

type Addition = {
  readonly id: string;
  readonly url: string | null;
  readonly role: "voter" | "learner";
  readonly force: boolean;
};

async function add({ client, json }: Session, { id, role, url, force }: Addition): Promise<void> {
  const body = JSON.stringify({ id, role, ...url === null ? {} : { url } });
  const target = withQuery("/v1/cluster/members", { force });
  await show(json, await send(client, { method: "POST", target, body }));
}

async function remove({ json }: Session, client: Client, id: string, force: boolean): Promise<void> {
  const target = withQuery(`/v1/cluster/members/${encodeURIComponent(id)}`, { force });
  await show(json, await send(client, { method: "DELETE", target }));
}

/** Between two looks at a configuration that others are changing. */
const againMs = 100;

/** Read and asked for again as long as others change the members meanwhile. */
async function replace(
  { client, json, timeoutMs }: Session,
  old: string,
  by: string,
  force: boolean,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const cluster = await client.cluster();
    if (cluster.configuration === null || cluster.members.length === 0) {
      throw new Failure("this node is in no cluster yet");
    }
    let running = cluster.configuration.joint;
    if (!running) {
      const { index, voters, learners } = replacement(cluster, old, by);
      const headers = { "if-match": index === null ? "*" : `"${index}"` };
      const body = JSON.stringify({ voters, learners });
      const target = withQuery("/v1/cluster/configuration", { force });
      try {
        return await show(json, await send(client, { method: "PUT", target, body, headers }));
      } catch (error) {
        if (!(error instanceof ProblemError && error.status === 412)) throw error;
        running = true;
      }
    }
    if (performance.now() + againMs >= deadline) {
      throw new Failure("other changes of the members are running; nothing was done (conflict)");
    }
    await sleep(againMs);
  }
}

async function transfer({ client, json }: Session, to: string | null): Promise<void> {
  const body = JSON.stringify({ to });
  const answer: unknown = JSON.parse(
    await send(client, { method: "POST", target: "/v1/cluster/leader", body }),
  );
  if (json) return await printJson(answer);
  const named: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "to") : null;
  await printLine(`leadership goes to ${typeof named === "string" ? shown(named) : "another voter"}`);
}

/** Asked of the node itself, which knows its id; where that is given, of the URL at which it answers. */
async function leave(session: Session, id: string | null, force: boolean): Promise<void> {
  const found: string[] = [];
  let trouble: unknown = null;
  for (const url of session.urls) {
    const client = clientOf({ ...session, urls: [url] });
    const name = await nodeName(client).catch((error: unknown) => {
      trouble = error;
      return null;
    });
    if (name !== null && (id === null || name === id)) return await remove(session, client, name, force);
    if (name !== null) found.push(`${shown(name)} answers at ${url}`);
  }
  if (found.length === 0) throw trouble;
  throw new Failure(`${found.join(", ")}: give the --url of ${id}, or remove it with coracle remove ${id}`);
}

async function nodeName(client: Client): Promise<string> {
  const { headers } = await client.send({ method: "GET", target: "/v1/cluster" });
  const name = headers.get("coracle-node");
  if (name === null) throw new UnexpectedAnswer("this node does not say who it is");
  return name;
}

async function show(json: boolean, body: string): Promise<void> {
  const configuration = JSON.parse(body) as Cluster["configuration"];
  if (json) return await printJson(configuration);
  const list = (names: readonly string[]) => names.length === 0 ? "none" : names.map(shown).join(", ");
  await printLine(
    `voters: ${list(configuration?.voters ?? [])} · learners: ${list(configuration?.learners ?? [])}` +
      (configuration?.joint ? " (the change is committed to, and under way)" : ""),
  );
}

/** The JSON that is answered. */
async function send(client: Client, request: Request): Promise<string> {
  try {
    const headers = request.body === undefined ? {} : { "content-type": "application/json" };
    const { body } = await client.send({ ...request, headers: { ...headers, ...request.headers } });
    return new TextDecoder().decode(body);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    // A plain 404 of a member is an answer, not a wrong URL.
    if (error.status === 404) throw new Failure(`${error.message.replace(/\.$/, "")} (not_found)`);
    const detail = error.detail.replaceAll("?force=true", "--force");
    throw new ProblemError({ status: error.status, code: error.code, title: error.title, detail });
  }
}
