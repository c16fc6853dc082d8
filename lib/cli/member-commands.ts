// Who belongs to the cluster, and changing that: members, add, remove, replace, promote, transfer, leave.
import type { Command } from "commander";
import { type Client, type Cluster, ProblemError } from "../client/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { printJson, printLine, shown, table } from "./output.ts";
import { clientCommand, type Session } from "./session.ts";

export function addMemberCommands(program: Command): void {
  clientCommand(program.command("members").description("who belongs to the cluster"), members);
  const added = program.command("add").description(
    "let a node in that waits for it, or make it what it is to be",
  )
    .argument("<id>").argument("[url]", "where it can be reached, if it has not been heard of")
    .option("--role <role>", "voter or learner", "voter");
  clientCommand(added, (session, command) => {
    const [id = "", url] = command.args;
    const { role } = command.opts<{ role: string }>();
    if (role !== "voter" && role !== "learner") throw wrongUsage("--role is voter or learner");
    return add(session, id, url ?? null, role);
  });
  const promoted = program.command("promote").description("make a learner a voter").argument("<id>");
  clientCommand(promoted, (session, command) => add(session, command.args[0] ?? "", null, "voter"));
  const removed = forced(program.command("remove").description("remove a member").argument("<id>"));
  clientCommand(removed, (session, command) => remove(session, command.args[0] ?? "", isForced(command)));
  const replaced = forced(
    program.command("replace").description("replace a member by another one, in one step")
      .argument("<old>").argument("<new>", "a member already, as learner or voter: start it with --join"),
  );
  clientCommand(replaced, (session, command) => {
    const [old = "", by = ""] = command.args;
    return replace(session, old, by, isForced(command));
  });
  const transferred = program.command("transfer").description("hand leadership over")
    .argument("[id]", "to whom (default: the voter that is furthest)");
  clientCommand(transferred, (session, command) => transfer(session, command.args[0] ?? null));
  const left = forced(program.command("leave").description("take the node at --url out of its cluster"));
  clientCommand(left, (session, command) => leave(session, isForced(command)));
}

function forced(command: Command): Command {
  return command.option("--force", "even if no live majority of voters is left");
}

function isForced(command: Command): boolean {
  return command.opts<{ force?: boolean }>().force === true;
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

async function add(
  session: Session,
  id: string,
  url: string | null,
  role: "voter" | "learner",
): Promise<void> {
  const body = JSON.stringify({ id, role, ...url === null ? {} : { url } });
  await change(session, "POST", "/v1/cluster/members", body);
}

async function remove(session: Session, id: string, force: boolean): Promise<void> {
  await change(
    session,
    "DELETE",
    `/v1/cluster/members/${encodeURIComponent(id)}${force ? "?force=true" : ""}`,
  );
}

/** One joint change: the old one's part goes to the new one. */
async function replace(session: Session, old: string, by: string, force: boolean): Promise<void> {
  const { configuration } = await session.client.cluster();
  if (configuration === null) throw new Failure("this node is in no cluster yet");
  const { voters, learners } = configuration;
  if (![...voters, ...learners].includes(old)) throw new Failure(`${old} is no member (not_found)`);
  if (![...voters, ...learners].includes(by)) {
    throw new Failure(`${by} is no member yet: start it with --join, and replace ${old} when it is one`);
  }
  const without = (list: readonly string[]) => list.filter((id) => id !== old && id !== by);
  const votes = voters.includes(old) || voters.includes(by);
  const body = JSON.stringify({
    voters: [...without(voters), ...votes ? [by] : []],
    learners: [...without(learners), ...votes ? [] : [by]],
  });
  await change(session, "PUT", `/v1/cluster/configuration${force ? "?force=true" : ""}`, body);
}

async function transfer({ client, json }: Session, to: string | null): Promise<void> {
  const { body } = await send(client, "POST", "/v1/cluster/leader", JSON.stringify({ to }));
  const answer: unknown = JSON.parse(new TextDecoder().decode(body));
  if (json) return await printJson(answer);
  const named: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "to") : null;
  await printLine(`leadership goes to ${typeof named === "string" ? shown(named) : "another voter"}`);
}

/** Asked of the node itself, which knows its id. */
async function leave(session: Session, force: boolean): Promise<void> {
  const answer = await session.client.send({ method: "GET", target: "/v1/cluster" });
  const id = answer.headers.get("coracle-node");
  if (id === null) throw new Failure("this node does not say who it is");
  await remove(session, id, force);
}

async function change(session: Session, method: Method, target: string, body?: string): Promise<void> {
  const answer = await send(session.client, method, target, body);
  const configuration = JSON.parse(new TextDecoder().decode(answer.body)) as Cluster["configuration"];
  if (session.json) return await printJson(configuration);
  const list = (names: readonly string[]) => names.length === 0 ? "none" : names.map(shown).join(", ");
  await printLine(
    `voters: ${list(configuration?.voters ?? [])} · learners: ${list(configuration?.learners ?? [])}` +
      (configuration?.joint ? " (the change is committed to, and under way)" : ""),
  );
}

type Method = "POST" | "PUT" | "DELETE";

async function send(client: Client, method: Method, target: string, body?: string) {
  try {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    return await client.send({ method, target, headers, ...body === undefined ? {} : { body } });
  } catch (error) {
    // A plain 404 of a member is an answer, not a wrong URL.
    if (error instanceof ProblemError && error.status === 404) {
      throw new Failure(`${error.message.replace(/\.$/, "")} (not_found)`);
    }
    throw error;
  }
}
