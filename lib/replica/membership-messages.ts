// What replicas say to each other about membership, beside the log: how a node asks to be let in, and how people's changes
// reach the leader. JSON: small and rare, and people read it in captures. All of it may be lost and repeated.
//
//   Join       a node → members        I want to be a member; repeated until I am one as I wished
//   JoinReply  a member → that node    admitted, who else to ask, wait, or why not
//   Depart     leader → a member       you are about to be removed: take no more writes, and say when none is under way
//   Departing  that member → leader    how many are; none: it may go
//   Admin      any member → leader     a change that a client of the member asked for
//   AdminReply leader → member         what became of it
import type { ConfigurationAt, ReplicaId } from "../raft/mod.ts";

export type MemberRole = "voter" | "learner";

export type Join = { readonly type: "Join"; readonly role: MemberRole };

export type JoinOutcome =
  | {
    readonly type: "admitted";
    readonly clusterId: string;
    /** The first configuration of the cluster: what stood before the first entry of its log. */
    readonly record: readonly ReplicaId[];
    /** Index of a committed configuration that has the node as a member; null = its sender does not know it to be committed. */
    readonly index: number | null;
    /** What it was admitted as by people's word; null = as it asked for itself. */
    readonly role: MemberRole | null;
    /** It has caught up with the log once: it may answer reads. */
    readonly caughtUp: boolean;
    /** How far it is, as a sentence; empty when nothing is left to do. */
    readonly progress: string;
  }
  | { readonly type: "elsewhere"; readonly leaderId: ReplicaId | null; readonly urls: readonly string[] }
  | { readonly type: "wait"; readonly why: string }
  /** `taken`: its id belongs to another node, which was alive together with this one. */
  | { readonly type: "refused"; readonly why: string; readonly taken?: boolean };

export type JoinReply = { readonly type: "JoinReply"; readonly outcome: JoinOutcome };

/** A change that people ask for. Members are named by id, or by `id~incarnation` where two have one id. */
export type AdminRequest =
  | {
    readonly type: "add";
    readonly id: string;
    readonly url: string | null;
    /** null = whoever calls itself so. */
    readonly incarnation: string | null;
    readonly role: MemberRole;
    readonly force: boolean;
  }
  | {
    readonly type: "remove";
    readonly id: string;
    readonly force: boolean;
    /** Only where so many voters stay, or a learner goes. */
    readonly leavesAtLeast?: number;
  }
  | {
    readonly type: "configure";
    readonly voters: readonly string[];
    readonly learners: readonly string[];
    /** Only from the configuration of this index; null = from any. */
    readonly ifIndex: number | null;
    readonly force: boolean;
  }
  | { readonly type: "transfer"; readonly to: string | null };

/** What is asked for, as people say it. */
export function requestSentence(request: AdminRequest): string {
  switch (request.type) {
    case "add":
      return `add ${request.id} as a ${request.role}`;
    case "remove":
      return `remove ${request.id}`;
    case "configure": {
      const { voters, learners } = request;
      return `voters ${voters.join(", ")}${learners.length === 0 ? "" : `; learners ${learners.join(", ")}`}`;
    }
    case "transfer":
      return `hand leadership over${request.to === null ? "" : ` to ${request.to}`}`;
  }
}

export type AdminRefusal =
  /** The request makes no sense here. */
  | "invalid"
  | "not_found"
  /** Another change runs, or this one would leave no live quorum. */
  | "conflict"
  /** The configuration is not the one that the change was made for. */
  | "changed"
  /** No leader, or none that can say yet. Definitely not done. */
  | "unavailable"
  /** May or may not be done. */
  | "unknown";

export type AdminOutcome =
  | { readonly ok: true; readonly configuration: ConfigurationAt; readonly leaderId: ReplicaId | null }
  | { readonly ok: false; readonly reason: AdminRefusal | "not_leader"; readonly detail: string };

export type Admin = {
  readonly type: "Admin";
  readonly requestId: number;
  readonly request: AdminRequest;
  /** ms that are left to whoever asked. */
  readonly timeoutMs: number;
};

export type AdminReply = {
  readonly type: "AdminReply";
  readonly requestId: number;
  readonly outcome: AdminOutcome;
};

/** A removed replica sees no more of the log: what it still had under way would end as unknown. */
export type Depart = { readonly type: "Depart" };
export type Departing = { readonly type: "Departing"; readonly underWay: number };

export type MembershipMessage = Join | JoinReply | Depart | Departing | Admin | AdminReply;

export function encodeMembership(message: MembershipMessage): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(message));
}

/** null = not understood, perhaps of another version. */
export function decodeMembership(bytes: Uint8Array): MembershipMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  return isMessage(value) ? value : null;
}

type Fields = Readonly<Record<string, unknown>>;

function isMessage(value: unknown): value is MembershipMessage {
  if (!isFields(value)) return false;
  switch (value["type"]) {
    case "Join":
      return isRole(value["role"]);
    case "JoinReply":
      return isFields(value["outcome"]) && isJoinOutcome(value["outcome"]);
    case "Depart":
      return true;
    case "Departing":
      return isCount(value["underWay"]);
    case "Admin":
      return isCount(value["requestId"]) && typeof value["timeoutMs"] === "number" &&
        isFields(value["request"]) && isRequest(value["request"]);
    case "AdminReply":
      return isCount(value["requestId"]) && isFields(value["outcome"]) && isAdminOutcome(value["outcome"]);
    default:
      return false;
  }
}

function isJoinOutcome(value: Fields): boolean {
  const { type, clusterId, record, index, role, caughtUp, progress, leaderId, urls, why } = value;
  if (type === "admitted") {
    return typeof clusterId === "string" && isNames(record) && (index === null || isCount(index)) &&
      (role === null || isRole(role)) && typeof caughtUp === "boolean" && typeof progress === "string";
  }
  if (type === "elsewhere") return (leaderId === null || typeof leaderId === "string") && isNames(urls);
  return (type === "wait" || type === "refused") && typeof why === "string";
}

function isRequest(value: Fields): boolean {
  const { type, id, url, incarnation, role, force, voters, learners, ifIndex, to, leavesAtLeast } = value;
  if (type === "transfer") return isTextOrNull(to);
  if (typeof force !== "boolean") return false;
  if (type === "remove") {
    return typeof id === "string" && (leavesAtLeast === undefined || isCount(leavesAtLeast));
  }
  if (type === "configure") {
    return isNames(voters) && isNames(learners) && (ifIndex === null || isCount(ifIndex));
  }
  return type === "add" && typeof id === "string" && isTextOrNull(url) && isTextOrNull(incarnation) &&
    isRole(role);
}

function isAdminOutcome(value: Fields): boolean {
  const { ok, configuration: at, leaderId, reason, detail } = value;
  if (ok === false) return typeof reason === "string" && typeof detail === "string";
  if (ok !== true || !isTextOrNull(leaderId) || !isFields(at) || !isCount(at["index"])) return false;
  const { configuration } = at;
  return isFields(configuration) && isNames(configuration["voters"]) && isNames(configuration["outgoing"]) &&
    isNames(configuration["learners"]);
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isRole(value: unknown): value is MemberRole {
  return value === "voter" || value === "learner";
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === "string";
}

function isNames(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
