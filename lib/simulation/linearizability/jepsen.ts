// Jepsen's and Maelstrom's spelling of operations (f and value; independent keys as [key, value]) in ours.
import { isObject, type JsonObject } from "./json.ts";

type Translated =
  | { readonly ok: true; readonly key: string | undefined; readonly input: unknown; readonly output: unknown }
  | { readonly ok: false; readonly reason: string };

const OPS: { readonly [f: string]: string } = {
  read: "get",
  r: "get",
  get: "get",
  write: "put",
  w: "put",
  put: "put",
  cas: "cas",
  delete: "delete",
  add: "add",
  append: "append",
  transfer: "transfer",
};

/**
 * `value` as invoked, `result` as completed. Unless the line names the key itself (`hasKey`), a value that is a pair
 * is [key, value]; a cas is then [key, [from, to]].
 */
export function fromJepsen(f: string, value: unknown, result: unknown, hasKey: boolean): Translated {
  const op = OPS[f];
  if (op === undefined) {
    return { ok: false, reason: `f must be one of ${Object.keys(OPS).join(", ")}, not ${f}` };
  }
  const [key, argument] = hasKey ? [undefined, value] : split(op, value);
  const answer = hasKey ? result : split(op, result)[1];
  return { ok: true, key, ...operation(op, argument, answer) };
}

function split(op: string, value: unknown): [string | undefined, unknown] {
  if (!Array.isArray(value) || value.length !== 2) return [undefined, value];
  if (op === "cas" && !Array.isArray(value[1])) return [undefined, value];
  return [String(value[0]), value[1]];
}

function operation(op: string, argument: unknown, answer: unknown): { input: unknown; output: unknown } {
  switch (op) {
    case "get":
      return { input: { op }, output: { value: answer ?? null } };
    case "cas": {
      const [from, to] = Array.isArray(argument) ? argument : [];
      return { input: { op, from, to }, output: {} };
    }
    case "add":
      return { input: { op, by: argument ?? 1 }, output: {} };
    case "transfer":
      return { input: isObject(argument) ? transferOf(argument) : { op }, output: {} };
    default:
      return { input: { op, value: argument }, output: {} };
  }
}

function transferOf({ from, to, amount }: JsonObject) {
  return { op: "transfer", from, to, amount };
}
