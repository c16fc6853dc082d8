// /v1/kv/{key} and /v1/kv?key=…: one key. What names no key is a listing (kv-range.ts).
import { type Condition, getItem, HTTP_KEYSPACE, parseKey } from "../../kv/mod.ts";
import { readBody } from "../body.ts";
import { etagOf, namesRevision, parseWriteConditions } from "../conditions.ts";
import { parseConsistency } from "../consistency.ts";
import { parseTimeout } from "../duration.ts";
import { stateHeaders } from "../ending.ts";
import type { Endpoint, Exchange } from "../exchange.ts";
import { bad, type Checked, good, type Problem, problem, problemResponse } from "../problem.ts";
import { permitRead } from "../read.ts";
import type { Services } from "../services.ts";
import { decodePath, rawPath } from "../target.ts";
import { notBuiltYet, redirectToLeader, write, type Written } from "../write.ts";
import { deletePrefix, list } from "./kv-range.ts";

const COLLECTION = "/v1/kv";
const DEFAULT_CONTENT_TYPE = "application/octet-stream";
const MAX_CONTENT_TYPE_BYTES = 256;

export function kvEndpoint(services: Services): Endpoint {
  const oneOr = (
    one: typeof get,
    range: ((services: Services, exchange: Exchange) => Promise<Response | Problem>) | null,
  ) =>
  (exchange: Exchange) => {
    const key = parseKeyOf(exchange);
    if (!key.ok) return key.problem;
    if (key.value !== null) return one(services, exchange, key.value);
    return range === null
      ? problem("invalid_request", "Name a key: /v1/kv/{key} or /v1/kv?key=…")
      : range(services, exchange);
  };
  return {
    route: "/v1/kv",
    methods: { GET: oneOr(get, list), PUT: oneOr(put, null), DELETE: oneOr(remove, deletePrefix) },
    stamp: () => stateHeaders(services, null),
  };
}

type Key = { readonly text: string; readonly bytes: Uint8Array };

/** From the path or from ?key=; null = none is named. */
function parseKeyOf({ request, query }: Exchange): Checked<Key | null> {
  const path = rawPath(request.url);
  const inQuery = query.get("key");
  let text: string;
  if (path.length > COLLECTION.length) {
    if (inQuery !== undefined) {
      return bad("invalid_request", "The key is in the path or in ?key=, not in both.");
    }
    const decoded = decodePath(path.slice(COLLECTION.length + 1));
    if (!decoded.ok) return decoded;
    text = decoded.value;
  } else if (inQuery === undefined) {
    return good(null);
  } else {
    text = inQuery;
  }
  const bytes = parseKey(text);
  return bytes.ok
    ? good({ text, bytes: bytes.value })
    : bad("invalid_request", `Not a key: ${bytes.problem}.`);
}

async function get(services: Services, { request, query }: Exchange, key: Key): Promise<Response | Problem> {
  const timeoutMs = parseTimeout(query);
  if (!timeoutMs.ok) return timeoutMs.problem;
  const consistency = parseConsistency(query);
  if (!consistency.ok) return consistency.problem;
  if (query.has("wait")) return problem("not_implemented", "?wait is not built yet: read without it.");

  const at = await permitRead(services, consistency.value, timeoutMs.value);
  if (!at.ok) return at.problem;
  const item = getItem(services.replica, { keyspace: HTTP_KEYSPACE, key: key.bytes });
  const headers = stateHeaders(services, at.value);
  if (item === null) return problemResponse(NO_SUCH_KEY, headers);

  const { headers: asked } = request;
  const ifMatch = asked.get("if-match");
  if (ifMatch !== null && !namesRevision(ifMatch, item.revision)) {
    return problemResponse(stands(item.revision), headers);
  }
  headers["ETag"] = etagOf(item.revision);
  headers["Coracle-Create-Revision"] = String(item.createRevision);
  headers["Coracle-Version"] = String(item.version);
  const ifNoneMatch = asked.get("if-none-match");
  if (ifNoneMatch !== null && namesRevision(ifNoneMatch, item.revision)) {
    return new Response(null, { status: 304, headers });
  }
  headers["Content-Type"] = item.contentType;
  if (/html|xml|javascript/i.test(item.contentType)) {
    // A value is data: shown by a browser it must not act as a page of this node.
    headers["Content-Security-Policy"] = "sandbox";
  }
  if (request.method === "HEAD") {
    headers["Content-Length"] = String(item.value.byteLength);
    return new Response(null, { headers });
  }
  return new Response(item.value as Uint8Array<ArrayBuffer>, { headers });
}

const NO_SUCH_KEY = problem("not_found", "There is no such key.");

function stands(revision: number): Problem {
  return problem("precondition_failed", `The key is at revision ${revision}.`);
}

async function put(services: Services, exchange: Exchange, key: Key): Promise<Response | Problem> {
  const { request } = exchange;
  const asked = parseWrite(exchange);
  if (!asked.ok) return asked.problem;
  const contentType = request.headers.get("content-type") ?? DEFAULT_CONTENT_TYPE;
  if (contentType.length > MAX_CONTENT_TYPE_BYTES || !/^[\x20-\x7e]*$/.test(contentType)) {
    return problem(
      "invalid_request",
      `Content-Type has at most ${MAX_CONTENT_TYPE_BYTES} bytes of plain ASCII.`,
    );
  }
  const redirect = redirectToLeader(services, exchange);
  if (redirect !== null) return redirect;

  const { admission, maxValueBytes } = services;
  const { timeoutMs, conditions } = asked.value;
  const body = await readBody(request, { maxBytes: maxValueBytes, timeoutMs, admission });
  if (!body.ok) return body.problem;
  try {
    const value = body.value.bytes;
    const written = await write(
      services,
      exchange,
      { type: "put", keyspace: HTTP_KEYSPACE, key: key.bytes, value, contentType, conditions },
      timeoutMs,
    );
    if (!written.ok) return written.problem;
    const { result } = written.value;
    if (result.type !== "put") return prevented(services, written.value);
    const { created, revision, createRevision, version } = result;
    const headers = stateHeaders(services, written.value);
    headers["ETag"] = etagOf(revision);
    headers["Content-Type"] = "application/json";
    return new Response(JSON.stringify({ key: key.text, revision, createRevision, version }), {
      status: created ? 201 : 200,
      headers,
    });
  } finally {
    admission.release(body.value.reserved);
  }
}

async function remove(services: Services, exchange: Exchange, key: Key): Promise<Response | Problem> {
  const asked = parseWrite(exchange);
  if (!asked.ok) return asked.problem;
  const { timeoutMs, conditions } = asked.value;
  if (conditions.some((condition) => condition.type === "absent")) {
    return problem("invalid_request", "If-None-Match makes no sense on a DELETE.");
  }
  const redirect = redirectToLeader(services, exchange);
  if (redirect !== null) return redirect;
  const written = await write(
    services,
    exchange,
    { type: "delete", keyspace: HTTP_KEYSPACE, key: key.bytes, conditions },
    timeoutMs,
  );
  if (!written.ok) return written.problem;
  const { result } = written.value;
  if (result.type !== "delete") return prevented(services, written.value);
  const { deleted, revision } = result;
  return Response.json({ deleted, revision }, { headers: stateHeaders(services, written.value) });
}

type WriteRequest = { readonly timeoutMs: number; readonly conditions: readonly Condition[] };

function parseWrite(exchange: Exchange): Checked<WriteRequest> {
  const missing = notBuiltYet(exchange);
  if (missing !== null) return { ok: false, problem: missing };
  const timeoutMs = parseTimeout(exchange.query);
  if (!timeoutMs.ok) return timeoutMs;
  const conditions = parseWriteConditions(exchange.request.headers);
  if (!conditions.ok) return conditions;
  return good({ timeoutMs: timeoutMs.value, conditions: conditions.value });
}

/** A result that says that nothing was done. */
function prevented(services: Services, written: Written): Response {
  const { result } = written;
  if (result.type !== "precondition_failed") {
    throw new TypeError(`a command on one key ended with "${result.type}"`);
  }
  const reason = result.current === null
    ? problem("precondition_failed", "There is no such key.")
    : stands(result.current);
  return problemResponse(reason, stateHeaders(services, written));
}
