// Everything that travels between two replicas: the core's messages and the replica's own.
//
//   Forward            follower → leader    a write on behalf of a client of the follower
//   ForwardReply       leader → follower    its ending: position appended, or refused
//   ReadIndex          follower → leader    which index must I have applied to serve a linearizable read?
//   ReadIndexReply     leader → follower    that index, or refused
//   Formation          everybody            first start of a cluster: who has been heard from, and what is recorded
//   Gossip             everybody            digests and news of lib/gossip, opaque here
//   Membership         everybody            joins and people's changes of the members, opaque here
import type { Message } from "../raft/messages.ts";
import type { ReplicaId } from "../raft/identity.ts";

/** A write forwarded to the leader. The follower waits for the entry to be applied *here*, so that only the position travels back. */
export type Forward = {
  readonly type: "Forward";
  /** Unique among the sender's forwards of this process. */
  readonly requestId: number;
  readonly command: Uint8Array;
  /** ms the client is still willing to wait, as of sending. Past it the leader must not append. */
  readonly timeoutMs: number;
};

export type ForwardReply = {
  readonly type: "ForwardReply";
  readonly requestId: number;
  /** Appended at this place, ending to be seen in the log; or definitely not appended, and why. */
  readonly outcome:
    | { readonly type: "appended"; readonly index: number; readonly term: number }
    | { readonly type: "refused"; readonly reason: RefusalReason };
};

export type ReadIndex = { readonly type: "ReadIndex"; readonly requestId: number };

export type ReadIndexReply = {
  readonly type: "ReadIndexReply";
  readonly requestId: number;
  /** null = refused: not the leader (any more). */
  readonly index: number | null;
};

/**
 * What a node says of the first start of a cluster, until that is over (design §5). Sent to every connected peer on any
 * change and each second; it repeats everything, so loss and order do not matter.
 */
export type Formation = {
  readonly type: "Formation";
  /** The ids this node was told to form a cluster with, sorted, itself included; empty = none (it joins, or has started long ago). */
  readonly expected: readonly string[];
  /** The record it has durably made, sorted; null = none yet. */
  readonly record: readonly ReplicaId[] | null;
  /** Drawn anew for every record and every start of the process: tells this statement from an older one with an equal record. 0 ≤ n < 2^48. */
  readonly attempt: number;
  /** Attempts of the peers whose latest statement has this same record: proof that they, too, have seen this one. */
  readonly agreed: readonly number[];
  /** True: it has seen the same record from every listed node, each having seen its own, and votes by it. */
  readonly started: boolean;
};

export type Gossip = { readonly type: "Gossip"; readonly payload: Uint8Array };

/** Joins, changes that people ask for, and their answers: lib/replica/membership-messages.ts, opaque to links. */
export type MembershipPayload = { readonly type: "Membership"; readonly payload: Uint8Array };

export type PeerMessage =
  | Message
  | Forward
  | ForwardReply
  | ReadIndex
  | ReadIndexReply
  | Formation
  | Gossip
  | MembershipPayload;

/** Why a request was refused. Always definitely not done. */
export type RefusalReason =
  /** No leader is known, or leadership is changing. */
  | "no_leader"
  /** The deadline passed before it entered a log. */
  | "deadline"
  /** A bound is reached: too many queued proposals or bytes. */
  | "overloaded"
  /** The free space of a disk is below the reserve. */
  | "disk_full"
  /** This node is stopping. */
  | "stopping"
  /** This node has not started yet: the cluster is forming, or it is being brought up. */
  | "not_ready"
  /** This node was removed from the cluster. */
  | "removed"
  /** The state machine knows no such command: in a log it would stop every replica. */
  | "unknown_command";

/** About how many bytes a message makes on the wire; never less. Bounds of buffers are counted in these. */
export function messageBytes(message: PeerMessage): number {
  switch (message.type) {
    case "AppendEntries": {
      let bytes = 96;
      // Type, term, time, length of the data.
      for (const entry of message.entries) bytes += entry.data.byteLength + 25;
      return bytes;
    }
    case "Forward":
      return message.command.byteLength + 32;
    case "Gossip":
    case "Membership":
      return message.payload.byteLength + 16;
    case "Formation": {
      const names = [...message.expected, ...(message.record ?? [])];
      return names.reduce((sum, name) => sum + 8 + 3 * name.length, 64 + 8 * message.agreed.length);
    }
    default:
      return 64;
  }
}
