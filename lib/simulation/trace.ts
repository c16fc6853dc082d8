// What happened, a line each, the same bytes for the same seed.
import type { PeerMessage } from "../replica/peer-messages.ts";
import type { Timeline } from "./time.ts";

/** Lines with the world's time in front. Where nobody wants them, `on` is false and callers build no text. */
export class Trace {
  readonly on: boolean;
  readonly #timeline: Timeline;
  readonly #sink: (line: string) => void;

  constructor(timeline: Timeline, sink: ((line: string) => void) | null) {
    this.on = sink !== null;
    this.#timeline = timeline;
    this.#sink = sink ?? (() => {});
  }

  line(text: string): void {
    if (this.on) this.#sink(`${this.#timeline.now.toFixed(3).padStart(11)} ${text}`);
  }
}

/** A message as a person reads it. */
export function describeMessage(message: PeerMessage): string {
  switch (message.type) {
    case "RequestVote":
      return `${
        message.preVote ? "PreVote" : "RequestVote"
      } term=${message.term} last=${message.lastLogIndex}/${message.lastLogTerm}${
        message.transfer ? " transfer" : ""
      }`;
    case "RequestVoteReply":
      return `${message.preVote ? "PreVoteReply" : "RequestVoteReply"} term=${message.term} ${
        message.granted ? "granted" : "refused"
      }`;
    case "AppendEntries": {
      const first = message.entries[0];
      const last = message.entries[message.entries.length - 1];
      const span = first && last ? `${first.index}/${first.term}..${last.index}/${last.term}` : "none";
      return `AppendEntries term=${message.term} prev=${message.prevLogIndex}/${message.prevLogTerm} entries=${span} commit=${message.leaderCommit} round=${message.round}`;
    }
    case "AppendEntriesReply":
      return message.success
        ? `AppendEntriesReply term=${message.term} match=${message.matchIndex} round=${message.round}`
        : `AppendEntriesReply term=${message.term} rejected prev=${message.prevLogIndex} hint=${message.hintIndex}/${message.hintTerm}`;
    case "TimeoutNow":
      return `TimeoutNow term=${message.term}`;
    case "Forward":
      return `Forward #${message.requestId} ${message.command.byteLength}B`;
    case "ForwardReply":
      return message.outcome.type === "appended"
        ? `ForwardReply #${message.requestId} at ${message.outcome.index}/${message.outcome.term}`
        : `ForwardReply #${message.requestId} refused ${message.outcome.reason}`;
    case "ReadIndex":
      return `ReadIndex #${message.requestId}`;
    case "ReadIndexReply":
      return `ReadIndexReply #${message.requestId} ${message.index ?? "refused"}`;
    case "Formation":
      return `Formation expected=${message.expected.length} record=${message.record?.length ?? "none"}${
        message.started ? " started" : ""
      }`;
    default:
      return message.type;
  }
}
