// If-Match and If-None-Match (RFC 9110 §13.1). An ETag of ours is the key's revision in quotes.
import type { Condition } from "../kv/mod.ts";
import { bad, type Checked, good } from "./problem.ts";

const NONE: Checked<readonly Condition[]> = good([]);

/** `"12"`: an ETag of ours. */
export function etagOf(revision: number): string {
  return `"${revision}"`;
}

/** The conditions of a PUT or DELETE. */
export function parseWriteConditions(headers: Headers): Checked<readonly Condition[]> {
  const ifMatch = headers.get("if-match");
  const ifNoneMatch = headers.get("if-none-match");
  if (ifMatch === null && ifNoneMatch === null) return NONE;
  const conditions: Condition[] = [];
  if (ifMatch !== null) {
    const condition = parseIfMatch(ifMatch.trim());
    if (!condition.ok) return condition;
    conditions.push(condition.value);
  }
  if (ifNoneMatch !== null) {
    if (ifNoneMatch.trim() !== "*") {
      return bad("invalid_request", "If-None-Match on a write is *: the key must not exist.");
    }
    conditions.push({ type: "absent" });
  }
  return good(conditions);
}

function parseIfMatch(text: string): Checked<Condition> {
  if (text === "*") return good({ type: "exists" });
  const tag = /^(W\/)?"([\x21\x23-\x7e]*)"$/.exec(text);
  if (tag === null) {
    return bad("invalid_request", 'If-Match is one ETag in quotes, like "12", or *.');
  }
  const revision = tag[1] === undefined ? revisionOf(tag[2] ?? "") : null;
  // A weak ETag, or one that was never ours, matches no state of any key (RFC 9110 §13.1.1).
  if (revision === null) {
    return bad("precondition_failed", "The ETag of If-Match is not one that this store gave.");
  }
  return good({ type: "revision", revision });
}

function revisionOf(tag: string): number | null {
  const revision = /^[1-9]\d{0,15}$/.test(tag) ? Number(tag) : Number.NaN;
  return Number.isSafeInteger(revision) ? revision : null;
}

/** Whether a header of a read names this revision: `*`, or a list of ETags, weak ones alike. */
export function namesRevision(header: string, revision: number): boolean {
  if (header.trim() === "*") return true;
  const ours = etagOf(revision);
  return header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === ours);
}
