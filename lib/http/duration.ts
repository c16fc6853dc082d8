// The deadline of a request: `?timeout=10s`.
import { parseDuration } from "../notation/mod.ts";
import { bad, type Checked, good } from "./problem.ts";
import type { Query } from "./target.ts";

export const DEFAULT_TIMEOUT_MS = 4_000;
export const MAX_TIMEOUT_MS = 60_000;

/** How long a change of the members may wait before it begins, and to be committed to (api.md). */
export const MAX_CHANGE_TIMEOUT_MS = 5_000;

/** How long this request may take, ms. */
export function parseTimeout(query: Query): Checked<number> {
  const text = query.get("timeout");
  if (text === undefined) return good(DEFAULT_TIMEOUT_MS);
  const timeoutMs = parseDuration(text);
  if (timeoutMs === null || timeoutMs <= 0 || timeoutMs > MAX_TIMEOUT_MS) {
    return bad("invalid_request", "timeout is a duration above zero, at most 60s, like 500ms or 10s.");
  }
  return good(timeoutMs);
}

/** As long as it may be unless less is asked for. */
export function parseChangeTimeout(query: Query): Checked<number> {
  if (query.get("timeout") === undefined) return good(MAX_CHANGE_TIMEOUT_MS);
  const asked = parseTimeout(query);
  return asked.ok ? good(Math.min(asked.value, MAX_CHANGE_TIMEOUT_MS)) : asked;
}
