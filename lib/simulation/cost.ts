// No retry storms: what a committed entry costs in messages is bounded (measured are up to 1.7 for each follower).

/** For each committed entry and follower, with room for changes of leaders. */
const messagesPerEntry = 6;

export type Cost = {
  /** AppendEntries with entries that were sent. */
  readonly entryMessages: number;
  readonly committed: number;
  readonly leaders: number;
  readonly followers: number;
};

/**
 * Not asked of runs in which a node joins or has lost its disk: it is sent all of the log, under loss again and again from
 * the first entry that is missing.
 */
export function brokenCost({ entryMessages, committed, leaders, followers }: Cost): string | null {
  const most = messagesPerEntry * followers * (committed + 10 * leaders + 20);
  if (entryMessages <= most) return null;
  return `${entryMessages} messages with entries for ${committed} committed entries`;
}
