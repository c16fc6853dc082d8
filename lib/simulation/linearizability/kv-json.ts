// The kv model's operations as plain JSON in history files: {"op": "put", "value": …} and its answers.
import {
  canonicalJson,
  type Fields,
  isObject,
  type JsonObject,
  optionalFlag,
  optionalInteger,
  strangeField,
} from "./json.ts";
import type { KvInput, KvOutput } from "./kv-model.ts";
import type { Decoded, Encoded } from "./model.ts";

type Result = Decoded<KvInput, KvOutput>;

const wrong = (reason: string): Result => ({ ok: false, reason });

const FIELDS = new Map<unknown, Fields>([
  ["get", { input: ["op"], output: ["value", "revision"] }],
  ["put", { input: ["op", "value", "ifRevision", "ifAbsent"], output: ["revision", "created", "mismatch"] }],
  ["delete", { input: ["op", "ifRevision"], output: ["deleted", "revision", "mismatch"] }],
  ["cas", { input: ["op", "from", "to"], output: ["swapped", "revision", "created", "mismatch"] }],
]);

export function decodeKv(input: unknown, output: unknown): Result {
  if (!isObject(input)) return wrong("input must be an object with an op");
  if (output !== undefined && !isObject(output)) return wrong("output must be an object");
  const fields = FIELDS.get(input["op"]);
  if (fields === undefined) {
    return wrong(`input.op must be get, put, delete or cas, not ${canonicalJson(input["op"])}`);
  }
  const strange = strangeField(input["op"], { input, output }, fields);
  if (strange !== null) return wrong(strange);
  for (const name of ["mismatch", "created", "swapped"]) {
    if (optionalFlag(output?.[name]) === "wrong") return wrong(`output.${name} must be true or false`);
  }
  const ifRevision = optionalInteger(input["ifRevision"]);
  const revision = optionalInteger(output?.["revision"]);
  if (ifRevision === "wrong") return wrong("ifRevision must be a whole number");
  if (revision === "wrong") return wrong("output.revision must be a whole number");
  const condition = ifRevision === undefined ? {} : { ifRevision };
  const seen = revision === undefined ? {} : { revision };
  switch (input["op"]) {
    case "get":
      return decodeGet(output, seen);
    case "put":
      return decodePut(input, output, condition, seen);
    case "delete":
      return decodeDelete(output, condition, seen);
    default:
      return decodeCas(input, output, seen);
  }
}

type Seen = { readonly revision?: number };
type Condition = { readonly ifRevision?: number };

function decodeGet(output: JsonObject | undefined, seen: Seen): Result {
  if (output === undefined) return { ok: true, input: { type: "get" }, output: undefined };
  const value = output["value"];
  if (value === undefined) {
    return wrong("the output of a get needs a value (null where there is no such key)");
  }
  const text = value === null ? null : canonicalJson(value);
  return { ok: true, input: { type: "get" }, output: { type: "value", value: text, ...seen } };
}

function decodePut(
  input: JsonObject,
  output: JsonObject | undefined,
  condition: Condition,
  seen: Seen,
): Result {
  const value = input["value"];
  if (value === undefined || value === null) {
    return wrong("a put needs a value (null cannot be told from absence)");
  }
  if (optionalFlag(input["ifAbsent"]) === "wrong") return wrong("ifAbsent must be true or false");
  const ifAbsent = input["ifAbsent"] === true ? { ifAbsent: true as const } : {};
  if ("ifAbsent" in ifAbsent && condition.ifRevision !== undefined) {
    return wrong("a put has ifRevision or ifAbsent, not both");
  }
  const put: KvInput = { type: "put", value: canonicalJson(value), ...condition, ...ifAbsent };
  if (output === undefined) return { ok: true, input: put, output: undefined };
  if (output["mismatch"] === true) return { ok: true, input: put, output: { type: "mismatch" } };
  return { ok: true, input: put, output: { type: "written", ...seen, ...made(output) } };
}

function made({ created }: JsonObject): { readonly created?: boolean } {
  return typeof created === "boolean" ? { created } : {};
}

function decodeDelete(output: JsonObject | undefined, condition: Condition, seen: Seen): Result {
  const input: KvInput = { type: "delete", ...condition };
  if (output === undefined) return { ok: true, input, output: undefined };
  if (output["mismatch"] === true) return { ok: true, input, output: { type: "mismatch" } };
  const deleted = output["deleted"];
  if (deleted === undefined) return { ok: true, input, output: { type: "deleted", ...seen } };
  if (deleted !== 0 && deleted !== 1) return wrong("output.deleted must be 0 or 1");
  return { ok: true, input, output: { type: "deleted", deleted, ...seen } };
}

function decodeCas(input: JsonObject, output: JsonObject | undefined, seen: Seen): Result {
  const from = input["from"], to = input["to"];
  if (from === undefined || from === null || to === undefined || to === null) {
    return wrong("a cas needs from and to");
  }
  const cas: KvInput = { type: "cas", from: canonicalJson(from), to: canonicalJson(to) };
  if (output === undefined) return { ok: true, input: cas, output: undefined };
  const refused = output["swapped"] === false || output["mismatch"] === true;
  if (refused) return { ok: true, input: cas, output: { type: "mismatch" } };
  return { ok: true, input: cas, output: { type: "written", ...seen, ...made(output) } };
}

export function encodeKv(input: KvInput, output: KvOutput | undefined): Encoded {
  return { input: encodeInput(input), output: output === undefined ? undefined : encodeOutput(output) };
}

function encodeInput(input: KvInput): unknown {
  const { type, ...rest } = input;
  switch (input.type) {
    case "put":
      return { op: type, ...rest, value: JSON.parse(input.value) };
    case "cas":
      return { op: type, from: JSON.parse(input.from), to: JSON.parse(input.to) };
    default:
      return { op: type, ...rest };
  }
}

function encodeOutput({ type, ...rest }: KvOutput): unknown {
  if (type === "mismatch") return { mismatch: true };
  if (!("value" in rest)) return rest;
  return { ...rest, value: rest.value === null ? null : JSON.parse(rest.value) };
}
