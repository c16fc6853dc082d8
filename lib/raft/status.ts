// A picture of the core for people, metrics and invariants.
import type { PeerStatus, RaftStatus } from "./ready.ts";
import type { RaftState } from "./state.ts";

export function statusOf(raft: RaftState): RaftStatus {
  const configuration = raft.configurations.latest;
  return {
    id: raft.id,
    role: raft.role,
    currentTerm: raft.currentTerm,
    votedFor: raft.votedFor,
    leaderId: raft.leaderId,
    commitIndex: raft.commitIndex,
    lastApplied: raft.lastApplied,
    durableIndex: raft.log.durableIndex,
    last: raft.log.last,
    configuration,
    configurationUncommitted: configuration.index > raft.commitIndex,
    peers: peersOf(raft),
    transferTarget: raft.leadership?.transfer?.target ?? null,
  };
}

function peersOf(raft: RaftState): PeerStatus[] {
  const peers: PeerStatus[] = [];
  if (raft.leadership === null) return peers;
  for (const [id, progress] of raft.leadership.progress) {
    peers.push({
      id,
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      state: progress.state,
      inflightMessages: progress.inflightMessages,
      inflightBytes: progress.inflightBytes,
      lastContactMs: progress.lastContact === null ? null : Math.max(0, raft.now - progress.lastContact),
      hasForgotten: progress.hasForgotten,
    });
  }
  return peers;
}
