// Gossip as bytes: JSON, since it is small and rare and people read it in captures. Whatever arrives is checked field by
// field; what does not fit is null, never an exception.
import type { ConfigurationNews, Digest, LeaderNews, MemberNews, News } from "./news.ts";

export type GossipMessage =
  | { readonly type: "digest"; readonly digest: Digest }
  | { readonly type: "news"; readonly news: News };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

export function encodeGossip(message: GossipMessage): Uint8Array {
  return encoder.encode(JSON.stringify(message));
}

export function decodeGossip(bytes: Uint8Array): GossipMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  if (value["type"] === "digest") {
    const digest = readDigest(value["digest"]);
    return digest === null ? null : { type: "digest", digest };
  }
  if (value["type"] !== "news") return null;
  const news = readNews(value["news"]);
  return news === null ? null : { type: "news", news };
}

type Fields = Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isName(value: unknown): value is string {
  return typeof value === "string" && value.length <= 1024;
}

function readDigest(value: unknown): Digest | null {
  if (!isRecord(value) || !Array.isArray(value["versions"])) return null;
  const { configurationIndex, leaderTerm, mayAsk } = value;
  if (!isCount(configurationIndex) || !isCount(leaderTerm) || typeof mayAsk !== "boolean") return null;
  const versions: [string, number, number][] = [];
  for (const item of value["versions"]) {
    if (!Array.isArray(item)) return null;
    const [replica, bootCount, counter] = item;
    if (!isName(replica) || !isCount(bootCount) || !isCount(counter)) return null;
    versions.push([replica, bootCount, counter]);
  }
  return { versions, configurationIndex, leaderTerm, mayAsk };
}

function readNews(value: unknown): News | null {
  if (!isRecord(value) || !Array.isArray(value["members"])) return null;
  const members: MemberNews[] = [];
  for (const item of value["members"]) {
    const member = readMember(item);
    if (member === null) return null;
    members.push(member);
  }
  const configuration = value["configuration"] === null ? null : readConfiguration(value["configuration"]);
  const leader = value["leader"] === null ? null : readLeader(value["leader"]);
  if (configuration === undefined || leader === undefined) return null;
  return { members, configuration, leader };
}

function readMember(value: unknown): MemberNews | null {
  if (!isRecord(value)) return null;
  const { replica, bootCount, counter, url, region, software, role, hashIndex, hash, unreachable } = value;
  const whole = isName(replica) && isCount(bootCount) && isCount(counter) && isName(url) && isName(region) &&
    isName(software) && (role === "voter" || role === "learner") && isCount(hashIndex) && isName(hash) &&
    isNames(unreachable) && unreachable.length <= 16;
  return whole
    ? { replica, bootCount, counter, url, region, software, role, hashIndex, hash, unreachable }
    : null;
}

/** undefined = malformed. */
function readConfiguration(value: unknown): ConfigurationNews | undefined {
  if (!isRecord(value)) return undefined;
  const { index, voters, outgoing, learners } = value;
  const whole = isCount(index) && isNames(voters) && isNames(outgoing) && isNames(learners);
  return whole ? { index, voters, outgoing, learners } : undefined;
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isName);
}

function readLeader(value: unknown): LeaderNews | undefined {
  if (!isRecord(value) || !isCount(value["term"]) || !isName(value["leaderId"])) return undefined;
  return { term: value["term"], leaderId: value["leaderId"] };
}
