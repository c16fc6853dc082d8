// `coracle status`: one screen that says who leads, who lags, and who is unreachable since when.
import type { Command } from "commander";
import type { Cluster } from "../client/mod.ts";
import { Failure } from "./failure.ts";
import { printJson, printLine, shown, table } from "./output.ts";
import { clientCommand, clientOf, type Session } from "./session.ts";

type Member = Cluster["members"][number];

/** A member that was not heard from for so long is called unreachable. */
const silentMs = 2_000;
/** So many entries behind is worth a word. */
const lagEntries = 1_000;

export function addStatus(program: Command): void {
  clientCommand(
    program.command("status").description("who leads, who lags, who is unreachable"),
    async (session) => {
      const cluster = await askLeader(session, await session.client.cluster());
      if (session.json) await printJson(cluster);
      refuseOutsider(cluster);
      if (!session.json) await printLine(screen(cluster, Date.now()));
      if (cluster.leader === null) {
        throw new Failure("no leader is known: writes and linearizable reads wait until a majority is up");
      }
    },
  );
}

/** Only the leader knows how far everybody is; whoever answered first names it. */
async function askLeader({ token, timeoutMs }: Session, heard: Cluster): Promise<Cluster> {
  const url = heard.members.find((member) => member.id === heard.leader)?.url ?? null;
  if (url === null) return heard;
  try {
    const told = await clientOf({ urls: [url], token, timeoutMs: Math.min(timeoutMs, 2_000) }).cluster();
    return told.leader === heard.leader ? told : heard;
  } catch {
    // It may be dead or out of our reach: then what the other node knows is the news.
    return heard;
  }
}

/** The node that was asked takes no part in a cluster: what it shows is not the cluster's word. */
function refuseOutsider({ node }: Cluster): void {
  if (node === undefined) return;
  const { id, phase, waitingFor } = node;
  if (phase === "removed") {
    throw new Failure(`${id} was removed from its cluster: ask another node with --url`);
  }
  if (phase === "refused") throw new Failure(`${id} is refused by its cluster: ${waitingFor ?? ""}`);
  if (phase === "joining" || phase === "forming") {
    throw new Failure(`${id} is ${phase}${waitingFor === undefined ? "" : `: ${waitingFor}`}`);
  }
}

export function screen(cluster: Cluster, nowMs: number): string {
  const { clusterId, term, leader, revision, members } = cluster;
  const head = [
    `cluster ${clusterId ?? "(forming)"}`,
    leader === null ? "no leader known" : `leader ${shown(leader)}`,
    `term ${term ?? "?"}`,
    `revision ${revision ?? "?"}`,
    ...quorum(cluster),
  ];
  const rows = members.map((member) => [
    shown(member.id),
    member.id === leader ? "leader" : member.role,
    member.url ?? "(address not known)",
    condition(member, leader, nowMs),
    member.version ?? "",
  ]);
  const all = table([["NODE", "ROLE", "ADDRESS", "STATE", "VERSION"], ...rows]);
  return [head.join(" · "), "", all, ...underWay(cluster)].join("\n");
}

/** How many have to agree. */
function quorum({ configuration }: Cluster): string[] {
  if (configuration === null) return [];
  const { voters, outgoing, joint } = configuration;
  const groups = joint ? [outgoing ?? [], voters] : [voters];
  const majorities = groups.map(({ length }) => `${length} voters, majority ${Math.floor(length / 2) + 1}`);
  return [joint ? `joint: ${majorities.join(", and ")}` : majorities.join()];
}

/** What changes the members just now, what waits to do so, and who asks to be let in; nothing where there is nothing. */
function underWay({ configuration, changes = [], applicants = [] }: Cluster): string[] {
  const names = (list: readonly string[]) => list.map(shown).join(", ");
  const joint = configuration?.joint === true
    ? [`a change is running: voters ${names(configuration.outgoing ?? [])} → ${names(configuration.voters)}`]
    : [];
  const asked = changes.map(({ what, begun, why }) =>
    begun ? `a change is running: ${shown(what)}` : `a change waits: ${shown(what)} (${shown(why)})`
  );
  const outside = applicants.map(({ id, role, refused, why }) =>
    `${shown(id)} asks to be let in as a ${role}: ${refused ? "refused: " : ""}${shown(why)}`
  );
  const lines = [...joint, ...asked, ...outside];
  return lines.length === 0 ? [] : ["", ...lines];
}

function condition(member: Member, leader: string | null, nowMs: number): string {
  if (member.id === leader) return member.leaving === true ? "ok, leaving" : "ok";
  const { lastContactMs, lag, healthy, bringUp } = member;
  const leaving = member.leaving === true ? ["leaving"] : [];
  const silent = silence(member, nowMs);
  if (silent !== null) return [silent, ...leaving].join(", ");
  if (typeof bringUp === "string") return [bringUp, ...leaving].join(", ");
  if (lag !== null && lag > lagEntries) return [`behind by ${lag} entries`, ...leaving].join(", ");
  const ok = healthy === null || lastContactMs === null ? "not known here" : "ok";
  return [ok, ...lag === null || lag === 0 ? [] : [`${lag} behind`], ...leaving].join(", ");
}

/** null = it was heard from just now. */
function silence({ lastContactMs, healthy, watchedMs }: Member, nowMs: number): string | null {
  const clock = (agoMs: number) => `${new Date(nowMs - agoMs).toISOString().slice(11, 19)} UTC`;
  const seconds = (ms: number) => `${Math.round(ms / 1000)} s`;
  if (lastContactMs !== null && (lastContactMs > silentMs || healthy === false)) {
    return `UNREACHABLE for ${seconds(lastContactMs)} (since ${clock(lastContactMs)})`;
  }
  if (healthy !== false) return null;
  return watchedMs === undefined
    ? "UNREACHABLE"
    : `UNREACHABLE for ${seconds(watchedMs)} or more (since before ${clock(watchedMs)})`;
}
