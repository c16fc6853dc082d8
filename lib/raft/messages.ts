// The messages between replicas (Raft figure 2; pre-vote: diss. §9.6; TimeoutNow: diss. §3.10).
//
//   RequestVote         (pre-)candidate → voters   asks for a vote, or whether one would be given
//   RequestVoteReply    voter → candidate          granted or not
//   AppendEntries       leader → everybody         entries, heartbeat, read round: one message for all three
//   AppendEntriesReply  follower → leader          how far the log agrees, or where it may begin to
//   TimeoutNow          leader → its successor     campaign at once
import type { Entry } from "./entry.ts";
import type { ReplicaId } from "./identity.ts";

type Envelope = {
  readonly from: ReplicaId;
  readonly to: ReplicaId;
  /** The sender's currentTerm; in a pre-vote request the term that it would campaign in (and in a granting reply the same). */
  readonly term: number;
};

export type RequestVote = Envelope & {
  readonly type: "RequestVote";
  /** True: "would you vote for me in this term?"; nothing is persisted and no term changes. */
  readonly preVote: boolean;
  readonly lastLogIndex: number;
  readonly lastLogTerm: number;
  /** True: the leader asked for this election (TimeoutNow), so that contact with it is no reason to refuse. */
  readonly transfer: boolean;
};

export type RequestVoteReply = Envelope & {
  readonly type: "RequestVoteReply";
  readonly preVote: boolean;
  readonly granted: boolean;
};

export type AppendEntries = Envelope & {
  readonly type: "AppendEntries";
  /** Index and term of the entry right before `entries`. */
  readonly prevLogIndex: number;
  readonly prevLogTerm: number;
  /** May be empty: a heartbeat. */
  readonly entries: readonly Entry[];
  /** The leader's commitIndex. The follower commits no further than prevLogIndex + entries.length. */
  readonly leaderCommit: number;
  /** The leader's latest read and lease round, counted from 1 in each term; the reply echoes it. */
  readonly round: number;
  /** The highest round this follower was heard to echo in this term; 0 = none. It dates the message for the follower. */
  readonly echo: number;
  /** How long ago, at the sending of this message, the last round that a quorum echoed had been sent, in ms; −1 = none yet. */
  readonly confirmedAgeMs: number;
  /** For how long after hearing this the follower withholds its votes, ms: the leader's own electionMs, on which its lease rests. */
  readonly withholdMs: number;
};

export type AppendEntriesReply = Envelope & {
  readonly type: "AppendEntriesReply";
  readonly success: boolean;
  /** On success: the highest index up to which the follower's durable log is known to agree with the leader's. Else 0. */
  readonly matchIndex: number;
  /** The request's prevLogIndex, so that a stale rejection is told from a fresh one. */
  readonly prevLogIndex: number;
  /** On a rejection: where to try next; the largest index at which the logs may agree, and the follower's term there. */
  readonly hintIndex: number;
  readonly hintTerm: number;
  readonly round: number;
};

export type TimeoutNow = Envelope & { readonly type: "TimeoutNow" };

export type Message = RequestVote | RequestVoteReply | AppendEntries | AppendEntriesReply | TimeoutNow;
