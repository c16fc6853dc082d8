// Who this node is, as its disk remembers: kept in the log file, sealed, as JSON that a person can read.
import { type ReplicaId, replicaId } from "../raft/mod.ts";

/** The newest start of a peer that was seen: whoever does not go on from it has a copied or rolled-back folder (boots.ts). */
export type PeerBoot = { readonly bootCount: number; readonly nonce: string };

/** What is known of the log that a node gave up. */
export type SetAside = {
  /** The cluster it was in; null = that can not be read any more. */
  readonly clusterId: string | null;
  /** Where its files are kept. */
  readonly kept: readonly string[];
};

export type NodeRecord = {
  readonly id: string;
  /** Drawn once per data folder. */
  readonly incarnation: string;
  /** Durably one more at each start. */
  readonly bootCount: number;
  /** Nonces of its last starts, this one last: they show what this folder goes on from. */
  readonly starts?: readonly string[];
  /** null until the cluster has formed. */
  readonly clusterId: string | null;
  /** The formation record (design §5): who was heard from, sorted; null = none made. */
  readonly record: readonly ReplicaId[] | null;
  /** Formation is over. */
  readonly started: boolean;
  readonly peerBoots: Readonly<Record<ReplicaId, PeerBoot>>;
  /** It learned that it was removed from its cluster. */
  readonly removed?: boolean;
  /** A member of its cluster has refused this data folder as a copy or as rolled back: what it said, as a sentence. */
  readonly refused?: string;
  /** Its log was set aside, and it has not been admitted to a cluster since. */
  readonly setAside?: SetAside | null;
  /** Index of the first committed configuration that had it as what it wished to be; absent while it is being let in. */
  readonly entered?: number;
  /** The role that people gave it when it was let in; absent = the one it is started with. */
  readonly role?: "voter" | "learner";
  /** Where the other members were last said to be. */
  readonly urls?: Readonly<Record<ReplicaId, string>>;
};

/** Why a folder is not to be used any more as it is; null = it may be. */
export function outOf({ removed, refused }: NodeRecord): "removed" | "refused" | null {
  return removed === true ? "removed" : refused === undefined ? null : "refused";
}

export function replicaOf(node: NodeRecord): ReplicaId {
  return replicaId(node.id, node.incarnation);
}

export function encodeNode(node: NodeRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(node));
}

/** Throws a SyntaxError on anything else than what encodeNode made. */
export function decodeNode(bytes: Uint8Array): NodeRecord {
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  if (!isNodeRecord(value)) throw new SyntaxError("not the record of a node");
  return value;
}

function isNodeRecord(value: unknown): value is NodeRecord {
  if (typeof value !== "object" || value === null) return false;
  const field = (name: keyof NodeRecord): unknown => Reflect.get(value, name);
  const { clusterId, record, peerBoots } = {
    clusterId: field("clusterId"),
    record: field("record"),
    peerBoots: field("peerBoots"),
  };
  return typeof field("id") === "string" && typeof field("incarnation") === "string" &&
    Number.isSafeInteger(field("bootCount")) && typeof field("started") === "boolean" &&
    (clusterId === null || typeof clusterId === "string") &&
    (record === null || (Array.isArray(record) && record.every((item) => typeof item === "string"))) &&
    typeof peerBoots === "object" && peerBoots !== null && isListOrAbsent(field("starts")) &&
    isSetAsideOrAbsent(field("setAside") ?? null) &&
    (field("refused") === undefined || typeof field("refused") === "string");
}

function isListOrAbsent(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((item) => typeof item === "string"));
}

function isSetAsideOrAbsent(value: unknown): boolean {
  if (value === null) return true;
  if (typeof value !== "object" || !("kept" in value) || !("clusterId" in value)) return false;
  const { kept, clusterId } = value;
  return kept !== undefined && isListOrAbsent(kept) && (clusterId === null || typeof clusterId === "string");
}
