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
  const { clusterId, term, leader, revision, configuration, members } = cluster;
  const voters = configuration?.voters ?? [];
  const head = [
    `cluster ${clusterId ?? "(forming)"}`,
    leader === null ? "no leader known" : `leader ${shown(leader)}`,
    `term ${term ?? "?"}`,
    `revision ${revision ?? "?"}`,
    ...(configuration === null
      ? []
      : [`${voters.length} voters, majority ${Math.floor(voters.length / 2) + 1}`]),
    ...(configuration?.joint
      ? [`a membership change is running (from ${(configuration.outgoing ?? []).map(shown).join(", ")})`]
      : []),
  ];
  const rows = members.map((member) => [
    shown(member.id),
    member.id === leader ? "leader" : member.role,
    member.url ?? "(address not known)",
    condition(member, leader, nowMs),
    member.version ?? "",
  ]);
  return `${head.join(" · ")}\n\n${table([["NODE", "ROLE", "ADDRESS", "STATE", "VERSION"], ...rows])}`;
}

function condition(member: Member, leader: string | null, nowMs: number): string {
  if (member.id === leader) return "ok";
  const { lastContactMs, lag, healthy, bringUp } = member;
  if (typeof bringUp === "string") return bringUp;
  if (lastContactMs !== null && lastContactMs > silentMs) {
    const since = new Date(nowMs - lastContactMs).toISOString().slice(11, 19);
    return `UNREACHABLE for ${Math.round(lastContactMs / 1000)} s (since ${since} UTC)`;
  }
  if (healthy === false) return "UNREACHABLE (not heard from since the leader began)";
  if (lag !== null && lag > lagEntries) return `behind by ${lag} entries`;
  return healthy === null ? "not known here" : lag === null || lag === 0 ? "ok" : `ok, ${lag} behind`;
}
