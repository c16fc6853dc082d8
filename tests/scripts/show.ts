// How positions, entries and messages read in a trace: term/index, ids without incarnations.
import {
  type Configuration,
  decodeConfiguration,
  type Entry,
  idOf,
  type Message,
  type Position,
} from "../../lib/raft/mod.ts";

export function showPosition({ term, index }: Position): string {
  return `${term}/${index}`;
}

export function showEntry(entry: Entry): string {
  return `${showPosition(entry)} ${showData(entry)}`;
}

function showData(entry: Entry): string {
  if (entry.type === "noop") return "noop";
  if (entry.type === "command") return new TextDecoder().decode(entry.data);
  return showConfiguration(decodeConfiguration(entry.data));
}

export function showConfiguration({ voters, outgoing, learners }: Configuration): string {
  const groups = [`voters ${voters.map(idOf).join(",")}`];
  if (outgoing.length > 0) groups.push(`outgoing ${outgoing.map(idOf).join(",")}`);
  if (learners.length > 0) groups.push(`learners ${learners.map(idOf).join(",")}`);
  return groups.join("; ");
}

export function showMessage(message: Message): string {
  return `${idOf(message.from)}->${idOf(message.to)} ${message.type} ${showFields(message)}`.trimEnd();
}

function showFields(message: Message): string {
  const term = `term=${message.term}`;
  switch (message.type) {
    case "RequestVote":
      return `${message.preVote ? "pre " : ""}${term} last=${message.lastLogTerm}/${message.lastLogIndex}` +
        (message.transfer ? " transfer" : "");
    case "RequestVoteReply":
      return `${message.preVote ? "pre " : ""}${term} ${message.granted ? "granted" : "refused"}`;
    case "AppendEntries":
      return `${term} prev=${message.prevLogTerm}/${message.prevLogIndex} ` +
        `entries=[${
          message.entries.map(showPosition).join(" ")
        }] commit=${message.leaderCommit} round=${message.round}`;
    case "AppendEntriesReply":
      return message.success
        ? `${term} match=${message.matchIndex} round=${message.round}`
        : `${term} rejects ${message.prevLogIndex} hint=${message.hintTerm}/${message.hintIndex}`;
    case "TimeoutNow":
      return term;
  }
}
