// The leader's half of log replication (Raft §5.3; pipelining diss. §10.2.1; flow control per follower). One question,
// asked of each follower before every Ready: what does it lack, and may it be sent?
import { entryBytes } from "./entry.ts";
import type { ReplicaId } from "./identity.ts";
import type { AppendEntriesReply } from "./messages.ts";
import type { Progress } from "./progress.ts";
import { becomeFollower, resetElectionTimer } from "./roles.ts";
import { advanceCommit, hasCommitInTerm } from "./commit.ts";
import { confirmRounds, startReadRound, startRound } from "./read.ts";
import { handOver } from "./transfer.ts";
import { longestWait, owesRound, sendsEagerly } from "./thrift.ts";
import type { RaftState } from "./state.ts";

/** Sends every follower what it lacks, as far as its window allows. */
export function pump(raft: RaftState): void {
  startReadRound(raft);
  for (const [replica, progress] of raft.leading.progress) pumpOne(raft, replica, progress);
  handOver(raft);
}

function pumpOne(raft: RaftState, replica: ReplicaId, progress: Progress): void {
  if (sendsEagerly(raft, replica) || owesRound(raft, progress)) {
    if (progress.state === "probe") sendProbe(raft, replica, progress);
    else {while (hasRoom(raft, progress) && progress.nextIndex <= raft.log.lastIndex) {
        sendEntries(raft, replica, progress);
      }}
  }
  if (owesRound(raft, progress) || owesCommit(raft, progress)) {
    sendEmpty(raft, replica, progress);
  }
}

function hasRoom(raft: RaftState, progress: Progress): boolean {
  return progress.inflightMessages < Math.min(raft.options.maxInflightMessages, progress.window) &&
    progress.inflightBytes < raft.options.maxInflightBytes;
}

/**
 * A commit that the follower could act on and was not told. Thrifty leaders let a single one wait for the next message:
 * what nobody was told of is, if this leader dies now, answered a second time by the next one.
 */
function owesCommit(raft: RaftState, progress: Progress): boolean {
  const untold = Math.min(raft.commitIndex, progress.matchIndex) - progress.sentCommit;
  return progress.state === "replicate" && untold > (raft.options.thrifty ? 1 : 0);
}

function sendEntries(raft: RaftState, replica: ReplicaId, progress: Progress): void {
  const from = progress.nextIndex;
  const entries = raft.log.entries(from, raft.log.lastIndex, raft.options.maxMessageBytes);
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  sendAppendEntries(raft, replica, progress, from - 1, entries);
  progress.sent(from + entries.length - 1, bytes, { round: progress.sentRound, sentAt: raft.now });
}

/**
 * One message at a time until the logs are known to agree. A follower that has been silent for an election timeout gets
 * no entries, so that a dead one costs heartbeats only.
 */
function sendProbe(raft: RaftState, replica: ReplicaId, progress: Progress): void {
  if (progress.probeIsOut) return;
  const { log, now, options } = raft;
  const heardAt = progress.lastContact ?? raft.leading.since;
  const silent = now - heardAt >= options.electionMs;
  const from = progress.nextIndex;
  if (silent && !owesRound(raft, progress)) return;
  const entries = silent || from > log.lastIndex
    ? []
    : log.entries(from, log.lastIndex, options.maxMessageBytes);
  sendAppendEntries(raft, replica, progress, from - 1, entries);
  progress.probed({ round: progress.sentRound, sentAt: now });
}

/** A heartbeat: to a follower in step it names what is known to agree, so that it may overtake entries on their way. */
function sendEmpty(raft: RaftState, replica: ReplicaId, progress: Progress): void {
  const prevLogIndex = progress.state === "probe" ? progress.nextIndex - 1 : progress.matchIndex;
  sendAppendEntries(raft, replica, progress, prevLogIndex, []);
}

function sendAppendEntries(
  raft: RaftState,
  to: ReplicaId,
  progress: Progress,
  prevLogIndex: number,
  entries: ReturnType<RaftState["log"]["entries"]>,
): void {
  const { leading, log, commitIndex } = raft;
  // Whatever a thrifty leader sends is a round: its answers renew the lease, and heartbeats are for the quiet times.
  if (raft.options.thrifty && raft.now > leading.roundSentAt) startRound(raft);
  const confirmed = confirmRounds(raft);
  // Before a commit of its own term a leader does not know what its predecessors had committed: its word dates nothing.
  const datesNothing = confirmed === -Infinity || !hasCommitInTerm(raft);
  raft.send({
    type: "AppendEntries",
    from: raft.id,
    to,
    term: raft.currentTerm,
    prevLogIndex,
    prevLogTerm: log.term(prevLogIndex),
    entries,
    leaderCommit: commitIndex,
    round: leading.round,
    echo: progress.ackedRound,
    confirmedAgeMs: datesNothing ? -1 : Math.max(0, raft.now - confirmed),
    withholdMs: raft.options.electionMs,
  });
  progress.sentRound = leading.round;
  progress.noteSent(raft.now);
  progress.sentCommit = Math.max(progress.sentCommit, Math.min(commitIndex, prevLogIndex + entries.length));
}

/** On each tick of a leader: what went unanswered for too long is sent again, from what is known to agree, ever more rarely. */
export function retransmit(raft: RaftState): void {
  for (const progress of raft.leading.progress.values()) {
    if (!progress.isOverdue(raft.now, longestWait(raft, progress))) continue;
    progress.becomeProbe(progress.state === "replicate" ? progress.matchIndex + 1 : progress.nextIndex);
  }
}

export function handleAppendEntriesReply(raft: RaftState, message: AppendEntriesReply): void {
  if (message.term > raft.currentTerm) {
    becomeFollower(raft, message.term, null);
    resetElectionTimer(raft, "long");
    return;
  }
  if (raft.role !== "leader" || message.term < raft.currentTerm) return;
  const progress = raft.leading.progress.get(message.from);
  if (progress === undefined) return;
  progress.lastContact = raft.now;
  progress.noteAnswered();
  const sentAt = raft.leading.rounds.when(message.round);
  if (sentAt !== null && message.round > progress.ackedRound) {
    progress.ackedRound = message.round;
    progress.ackedSentAt = sentAt;
  }
  if (message.success) handleSuccess(raft, progress, message);
  else handleRejection(raft, progress, message);
  // A committed C_new without us has ended this leadership.
  if (raft.leadership !== null) confirmRounds(raft);
}

function handleSuccess(raft: RaftState, progress: Progress, message: AppendEntriesReply): void {
  raft.check(
    message.matchIndex <= raft.log.lastIndex,
    () => `${message.from} acknowledges ${message.matchIndex}, past the log`,
  );
  const news = progress.acknowledged(message.matchIndex, message.round, raft.now);
  const answersProbe = progress.state === "probe" && message.matchIndex >= progress.nextIndex - 1;
  if (answersProbe) progress.becomeReplicate();
  if (news) advanceCommit(raft);
}

function handleRejection(raft: RaftState, progress: Progress, message: AppendEntriesReply): void {
  // Late rejections of what has been settled since are told by the index that they reject, or by a hint at less than is
  // known to be there: one lost message makes the follower reject all that were on their way behind it, and if each of
  // those rejections counted, each would have the whole window sent again.
  const hint = raft.log.findNotAfter(message.hintIndex, message.hintTerm);
  const stale = progress.state === "probe"
    ? message.prevLogIndex !== progress.nextIndex - 1
    : message.prevLogIndex <= progress.matchIndex || hint.index < progress.matchIndex;
  if (progress.matchIndex > 0 && message.prevLogIndex === progress.matchIndex) progress.rejectedAtMatch++;
  if (stale) return;
  const next = Math.max(Math.min(hint.index + 1, message.prevLogIndex), progress.matchIndex + 1);
  // Nothing lower is left to try where a disk has lost what was acknowledged: to ask the same again at once would be
  // answered the same at once, for ever. What is out is sent again in its time.
  if (progress.state === "replicate" || next < progress.nextIndex) progress.becomeProbe(next);
}
