// Corruption: what is on disk is not what was written there. A replica must not vote or apply with what is left.

/** `reason` is a sentence for people: what is wrong, and what to do about it. */
export type Corruption = { readonly reason: string };

/** A stored row or record contradicts its checksum or its neighbours. */
export class CorruptStorage extends Error {
  override name = "CorruptStorage";
}

/** What an operator can do about a log that lies. */
export const mendLog =
  "This replica must not vote with what is left of its log. Keep its data folder aside " +
  "for inspection; the other nodes go on without it as long as they are a majority. Entering the cluster again " +
  "with an empty folder takes a membership change.";

/** What an operator can do about a state file that lies: everything in it can be replayed. */
export const mendState = "The applied state can be made again from the log: move state.sqlite (and " +
  "state.sqlite-wal, state.sqlite-shm) aside and start this node again.";
