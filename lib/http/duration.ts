// Durations in the query (`?timeout=10s`, `?max_staleness=500ms`) and the deadline of a request.
import { bad, type Checked, good } from "./problem.ts";
import type { Query } from "./target.ts";

export const DEFAULT_TIMEOUT_MS = 4_000;
export const MAX_TIMEOUT_MS = 60_000;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** `500ms`, `1.5s`, `2m`, `1h` in milliseconds; null = no duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h)$/.exec(text);
  const unit = UNITS[match?.[2] ?? ""];
  return unit === undefined ? null : Number(match?.[1]) * unit;
}

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
