// Short notation for histories in tests: "a 0-1 put 1 | b 2-? cas 1 2 | c 4-5 get=2". A "!" after the operation: a put
// failed, a cas was refused.
import {
  type AnyModel,
  anyModel,
  appendListModel,
  bankModel,
  counterModel,
  HistoryBuilder,
  kvModel,
  type Operation,
} from "../../../lib/simulation/linearizability/mod.ts";

export function modelOf(name: "kv" | "counter" | "list" | "bank" = "kv"): AnyModel {
  switch (name) {
    case "kv":
      return anyModel(kvModel());
    case "counter":
      return anyModel(counterModel());
    case "list":
      return anyModel(appendListModel());
    case "bank":
      return anyModel(bankModel({ a: 1, b: 1 }));
  }
}

export function readHistory(model: AnyModel, text: string, key = "x"): Operation<unknown, unknown>[] {
  const builder = new HistoryBuilder(model);
  text.split("|").forEach((part, index) => {
    const [client = "", times = "", what = "", ...rest] = part.trim().split(" ");
    const [call = "", end = ""] = times.split("-");
    const [op = "", result] = what.split("=");
    const failed = op === "put!";
    const { input, output } = operation(op.replace("!", ""), rest, result, op === "cas!");
    const outcome = failed ? "failed" as const : end === "?" ? "unknown" as const : "ok" as const;
    const times_ = { call: Number(call), return: end === "?" ? null : Number(end) };
    const fault = builder.operation({ client, key, input, output, outcome, ...times_ }, index + 1);
    if (fault !== null) throw new Error(`${part}: ${fault.reason}`);
  });
  const finished = builder.finish();
  if (!finished.ok) throw new Error(finished.fault.reason);
  return finished.history.map((one) => ({ ...one, id: key === "x" ? one.id : `${key}${one.id}` }));
}

function operation(op: string, rest: string[], result: string | undefined, refused: boolean) {
  const [first, second, third] = rest;
  switch (op) {
    case "get":
      return { input: { op }, output: { value: JSON.parse(result ?? "null") } };
    case "read":
      return { input: { op }, output: { value: result?.split(",").map(Number) ?? [] } };
    case "balances": {
      const [a, b] = result?.split(",").map(Number) ?? [];
      return { input: { op: "read" }, output: { value: { a, b } } };
    }
    case "cas":
      return { input: { op, from: Number(first), to: Number(second) }, output: { swapped: !refused } };
    case "add":
      return { input: { op, by: Number(first) }, output: {} };
    case "transfer":
      return { input: { op, from: first, to: second, amount: Number(third) }, output: {} };
    case "delete":
      return { input: { op }, output: {} };
    default:
      return { input: { op, value: Number(first) }, output: {} };
  }
}
