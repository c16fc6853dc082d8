// No retry storms: what a committed entry costs is bounded, in messages (measured are up to 1.7 for each follower) and in how
// often it is sent (up to 2.3).

/** For each committed entry and follower, with room for changes of leaders. */
const messagesPerEntry = 6;
const sendingsPerEntry = 6;

export type Cost = {
  /** AppendEntries with entries that were sent. */
  readonly entryMessages: number;
  /** Entries in them. */
  readonly entriesSent: number;
  readonly committed: number;
  readonly leaders: number;
  readonly followers: number;
};

/**
 * Not asked of runs in which a node joins or has lost its disk: it is sent all of the log, under loss again and again from
 * the first entry that is missing.
 */
export function brokenCost(
  { entryMessages, entriesSent, committed, leaders, followers }: Cost,
): string | null {
  const needed = followers * (committed + 10 * leaders + 20);
  if (entryMessages <= messagesPerEntry * needed && entriesSent <= sendingsPerEntry * needed) return null;
  return `${entryMessages} messages with ${entriesSent} entries for ${committed} committed ones`;
}
