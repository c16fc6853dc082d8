// GET /v1/kv?prefix=… lists, DELETE /v1/kv?prefix=… removes: ranges of keys.
import {
  decodeCursor,
  encodeCursor,
  HTTP_KEYSPACE,
  keyText,
  type ListedItem,
  listPage,
  type ListQuery,
  MAX_PAGE_ITEMS,
  parseBound,
} from "../../kv/mod.ts";
import { parseConsistency } from "../consistency.ts";
import { parseTimeout } from "../duration.ts";
import { stateHeaders } from "../ending.ts";
import type { Exchange } from "../exchange.ts";
import { bad, type Checked, good, type Problem, problem, problemResponse } from "../problem.ts";
import { permitRead } from "../read.ts";
import type { Services } from "../services.ts";
import type { Query } from "../target.ts";
import { notBuiltYet, redirectToLeader, write } from "../write.ts";

const DEFAULT_LIMIT = 100;

export async function list(services: Services, { query }: Exchange): Promise<Response | Problem> {
  const timeoutMs = parseTimeout(query);
  if (!timeoutMs.ok) return timeoutMs.problem;
  const consistency = parseConsistency(query);
  if (!consistency.ok) return consistency.problem;
  const asked = parseListQuery(query);
  if (!asked.ok) return asked.problem;

  const at = await permitRead(services, consistency.value, timeoutMs.value);
  if (!at.ok) return at.problem;
  const { items, next } = listPage(services.replica, asked.value);
  const page = {
    revision: at.value.index,
    items: items.map(itemJson),
    ...next === null ? {} : { cursor: encodeCursor(next) },
  };
  return Response.json(page, { headers: stateHeaders(services, at.value) });
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function itemJson({ key, value, contentType, revision, createRevision, version }: ListedItem) {
  const rest = { contentType, revision, createRevision, version };
  if (value === null) return { key: keyText(key), ...rest };
  try {
    return { key: keyText(key), value: decoder.decode(value), encoding: "utf8", ...rest };
  } catch {
    return { key: keyText(key), value: value.toBase64(), encoding: "base64", ...rest };
  }
}

function parseListQuery(query: Query): Checked<ListQuery> {
  const prefix = parseBytes(query, "prefix");
  if (!prefix.ok) return prefix;
  const start = parseBytes(query, "start");
  if (!start.ok) return start;
  const end = parseBytes(query, "end");
  if (!end.ok) return end;
  const limit = parseLimit(query);
  if (!limit.ok) return limit;
  const after = parseCursor(query);
  if (!after.ok) return after;
  const reverse = parseFlag(query, "reverse");
  if (!reverse.ok) return reverse;
  const keysOnly = parseFlag(query, "keys_only");
  if (!keysOnly.ok) return keysOnly;
  return good({
    type: "list",
    keyspace: HTTP_KEYSPACE,
    prefix: prefix.value,
    start: start.value,
    end: end.value,
    after: after.value,
    reverse: reverse.value,
    keysOnly: keysOnly.value,
    limit: limit.value,
  });
}

/** An empty `end` is none: "up to nothing" is never what is meant. */
function parseBytes(query: Query, name: "prefix" | "start" | "end"): Checked<Uint8Array | undefined> {
  const text = query.get(name);
  if (text === undefined || text === "") return good(undefined);
  const bytes = parseBound(text, name);
  return bytes.ok ? good(bytes.value) : bad("invalid_request", `${bytes.problem}.`);
}

function parseLimit(query: Query): Checked<number> {
  const text = query.get("limit") ?? String(DEFAULT_LIMIT);
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= MAX_PAGE_ITEMS
    ? good(limit)
    : bad("invalid_request", `limit is a whole number from 1 to ${MAX_PAGE_ITEMS}.`);
}

function parseCursor(query: Query): Checked<Uint8Array | undefined> {
  const text = query.get("cursor");
  if (text === undefined || text === "") return good(undefined);
  const after = decodeCursor(text);
  return after.ok ? good(after.value) : bad("invalid_request", `cursor: ${after.problem}.`);
}

function parseFlag(query: Query, name: "reverse" | "keys_only"): Checked<boolean> {
  const text = query.get(name) ?? "false";
  if (text === "true" || text === "1" || text === "") return good(true);
  if (text === "false" || text === "0") return good(false);
  return bad("invalid_request", `${name} is true or false.`);
}

export async function deletePrefix(services: Services, exchange: Exchange): Promise<Response | Problem> {
  const missing = notBuiltYet(exchange);
  if (missing !== null) return missing;
  const { query, request } = exchange;
  const text = query.get("prefix");
  if (text === undefined) {
    return problem(
      "invalid_request",
      "Name a key or a prefix: /v1/kv/{key}, ?key=… or ?prefix=… (empty: all keys).",
    );
  }
  if (["start", "end", "limit", "cursor"].some((name) => query.has(name))) {
    return problem(
      "invalid_request",
      "A DELETE takes a key or a prefix; start, end, limit and cursor are for listings.",
    );
  }
  if (request.headers.has("if-match") || request.headers.has("if-none-match")) {
    return problem("invalid_request", "Conditions go with one key, not with a prefix.");
  }
  const prefix = parseBound(text, "prefix");
  if (!prefix.ok) return problem("invalid_request", `${prefix.problem}.`);
  const timeoutMs = parseTimeout(query);
  if (!timeoutMs.ok) return timeoutMs.problem;
  const redirect = redirectToLeader(services, exchange);
  if (redirect !== null) return redirect;

  const written = await write(
    services,
    exchange,
    { type: "deletePrefix", keyspace: HTTP_KEYSPACE, prefix: prefix.value },
    timeoutMs.value,
  );
  if (!written.ok) return written.problem;
  const { result } = written.value;
  if (result.type === "too_many") {
    const reason = problem(
      "too_large",
      `More than ${result.limit} keys begin so; delete them in steps. Nothing was done.`,
    );
    return problemResponse(reason, stateHeaders(services, written.value));
  }
  if (result.type !== "delete") throw new TypeError(`a deletion by prefix ended with "${result.type}"`);
  const { deleted, revision } = result;
  return Response.json({ deleted, revision }, { headers: stateHeaders(services, written.value) });
}
