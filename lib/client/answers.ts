// What the answers of the HTTP contract look like, checked: a client must not take another server's page for a value.
import * as v from "valibot";

const wholeNumber = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const Problem = v.object({
  code: v.optional(v.string(), ""),
  title: v.optional(v.string(), ""),
  detail: v.optional(v.string(), ""),
});

export const PutBody = v.object({
  key: v.string(),
  revision: wholeNumber,
  createRevision: wholeNumber,
  version: wholeNumber,
});

export const DeleteBody = v.object({ deleted: wholeNumber, revision: wholeNumber });

export const ListBody = v.object({
  revision: wholeNumber,
  items: v.array(v.object({
    key: v.string(),
    /** Absent with keys_only. */
    value: v.optional(v.nullable(v.string())),
    encoding: v.optional(v.picklist(["utf8", "base64"]), "utf8"),
    contentType: v.string(),
    revision: wholeNumber,
    createRevision: wholeNumber,
    version: wholeNumber,
  })),
  cursor: v.optional(v.nullable(v.string())),
});

export const ItemHeaders = v.object({
  revision: v.pipe(v.string(), v.regex(/^"\d+"$/), v.transform((etag) => Number(etag.slice(1, -1)))),
  createRevision: v.pipe(v.string(), v.digits(), v.transform(Number)),
  version: v.pipe(v.string(), v.digits(), v.transform(Number)),
  contentType: v.string(),
});

const numberOrNull = v.nullable(v.number());

export const ClusterBody = v.looseObject({
  clusterId: v.nullable(v.string()),
  term: numberOrNull,
  leader: v.nullable(v.string()),
  revision: numberOrNull,
  configuration: v.nullable(v.looseObject({
    index: numberOrNull,
    joint: v.boolean(),
    voters: v.array(v.string()),
    outgoing: v.optional(v.nullable(v.array(v.string()))),
    learners: v.array(v.string()),
  })),
  /** Of a node that takes no part (yet, any more). */
  node: v.optional(v.looseObject({ id: v.string(), phase: v.string(), waitingFor: v.optional(v.string()) })),
  members: v.array(v.looseObject({
    id: v.string(),
    url: v.nullable(v.string()),
    role: v.string(),
    region: v.optional(v.nullable(v.string())),
    incarnation: v.nullable(v.string()),
    healthy: v.nullable(v.boolean()),
    matchIndex: numberOrNull,
    lag: numberOrNull,
    lastContactMs: numberOrNull,
    version: v.nullable(v.string()),
    /** How far the leader has brought it up; ms since it last said something new. */
    bringUp: v.optional(v.string()),
    gossipAgeMs: v.optional(v.number()),
    /** A change under way takes it out. */
    leaving: v.optional(v.boolean()),
    /** With lastContactMs null: for how long the node that answers has been looking. */
    watchedMs: v.optional(v.number()),
    unreachableFrom: v.optional(v.array(v.string())),
  })),
  /** Changes that people asked for and that are not over; only on the leader. */
  changes: v.optional(v.array(v.looseObject({ what: v.string(), begun: v.boolean(), why: v.string() }))),
  /** Nodes that ask to be let in. */
  applicants: v.optional(v.array(v.looseObject({
    id: v.string(),
    role: v.string(),
    refused: v.boolean(),
    why: v.string(),
  }))),
});

export type Cluster = v.InferOutput<typeof ClusterBody>;

export type ProblemFields = v.InferOutput<typeof Problem>;

/** The fields of a problem+json body; empty ones where it is something else. */
export function parseProblem(body: Uint8Array): ProblemFields {
  const parsed = v.safeParse(Problem, parseJson(body));
  return parsed.success ? parsed.output : { code: "", title: "", detail: "" };
}

/** undefined for what is no JSON. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
