// What every route works with: the options and what was made of them once.
import type { Applied, ReplicaStatus } from "../replica/api.ts";
import { idOf } from "../raft/mod.ts";
import { Admission } from "./admission.ts";
import { createGuard, type Guard } from "./auth.ts";
import type { AppOptions, DirectoryEntry } from "./options.ts";

export type Services = AppOptions & {
  readonly guard: Guard;
  readonly admission: Admission;
  readonly directory: () => ReadonlyMap<string, DirectoryEntry>;
  /** The replica's status, at most a few milliseconds old: making one costs more than a read does. */
  readonly glance: () => ReplicaStatus;
  /** Where the state stands at this very moment; null = nothing was applied since the start. */
  readonly lastApplied: () => { readonly index: number; readonly term: number } | null;
};

const MAX_OPEN_REQUESTS = 4_096;
const MAX_BODY_BYTES = 64 * 1024 * 1024;
const GLANCE_MS = 5;
const NOBODY: ReadonlyMap<string, DirectoryEntry> = new Map();

export function createServices(options: AppOptions): Services {
  const { tokens, open, runtime, replica, clock } = options;
  let seen = replica.status();
  let seenAt = clock.monotonic();
  let applied: Applied | null = null;
  replica.subscribe((latest) => {
    applied = latest;
  });
  return {
    ...options,
    directory: options.directory ?? (() => NOBODY),
    guard: createGuard(tokens, open, runtime, () => options.node.advertise),
    admission: new Admission(
      options.maxOpenRequests ?? MAX_OPEN_REQUESTS,
      options.maxBodyBytes ?? Math.max(MAX_BODY_BYTES, options.maxValueBytes),
    ),
    lastApplied: () => applied,
    glance() {
      const now = clock.monotonic();
      if (now - seenAt >= GLANCE_MS || now < seenAt) {
        seen = replica.status();
        seenAt = now;
      }
      return seen;
    },
  };
}

/** The leader's id as far as known here. */
export function leaderOf({ leaderId }: ReplicaStatus): string | null {
  return leaderId === null ? null : idOf(leaderId);
}
