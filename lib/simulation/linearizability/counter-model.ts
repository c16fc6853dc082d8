// A counter: add (by any whole number, answering the new value or nothing) and get.
import type { Operation } from "./history.ts";
import { canonicalJson, isObject, optionalInteger, strangeField } from "./json.ts";
import { type Decoded, type FileModel, IMPOSSIBLE } from "./model.ts";

export type CounterInput = { readonly type: "add"; readonly by: number } | { readonly type: "get" };

/** `value` undefined: the answer to an add did not say. */
export type CounterOutput = { readonly value?: number };

export function counterModel(initial = 0): FileModel<number, CounterInput, CounterOutput> {
  return {
    name: "counter",
    partition: "key",
    init: () => initial,
    step(state, input, output) {
      if (input.type === "get") return output?.value === state ? { ok: true, state } : IMPOSSIBLE;
      const after = state + input.by;
      return output?.value === undefined || output.value === after ? { ok: true, state: after } : IMPOSSIBLE;
    },
    key: (state) => state,
    readOnly: (input) => input.type === "get" || input.by === 0,
    inputKey: (input) => input.type === "add" ? String(input.by) : "get",
    anyState,
    describe(input, output) {
      const answer = output?.value === undefined ? "" : ` → ${output.value}`;
      return input.type === "add" ? `add ${input.by}${answer}` : `get${answer}`;
    },
    describeState: String,
    decode,
    encode: ({ type, ...rest }, output) => ({ input: { op: type, ...rest }, output }),
  };
}

/** More states than this are too many to try. */
const MOST_STATES = 500;

/** One answer that tells the value leaves as many values to begin with as the adds before it can have made up. */
function anyState(operations: readonly Operation<CounterInput, CounterOutput>[]): readonly number[] | null {
  const telling = operations.find(({ outcome }) =>
    outcome.type === "ok" && outcome.output.value !== undefined
  );
  if (telling?.outcome.type !== "ok" || telling.outcome.output.value === undefined) return [0];
  let most = 0, least = 0;
  for (const { input } of operations) {
    if (input.type !== "add") continue;
    most += Math.max(0, input.by);
    least += Math.min(0, input.by);
  }
  if (!(most - least < MOST_STATES)) return null;
  const { value } = telling.outcome.output;
  return Array.from({ length: most - least + 1 }, (_, at) => value - most + at);
}

function decode(input: unknown, output: unknown): Decoded<CounterInput, CounterOutput> {
  if (!isObject(input)) return { ok: false, reason: "input must be an object with an op" };
  if (output !== undefined && !isObject(output)) return { ok: false, reason: "output must be an object" };
  if (input["op"] !== "add" && input["op"] !== "get" && input["op"] !== "read") {
    return { ok: false, reason: `input.op must be add or get, not ${canonicalJson(input["op"])}` };
  }
  const strange = strangeField(input["op"], { input, output }, {
    input: input["op"] === "add" ? ["op", "by"] : ["op"],
    output: ["value"],
  });
  if (strange !== null) return { ok: false, reason: strange };
  const value = optionalInteger(output?.["value"]);
  if (value === "wrong") return { ok: false, reason: "output.value must be a whole number" };
  const answer = output === undefined ? undefined : value === undefined ? {} : { value };
  if (input["op"] === "add") {
    const by = optionalInteger(input["by"] ?? 1);
    if (by === "wrong" || by === undefined) return { ok: false, reason: "input.by must be a whole number" };
    return { ok: true, input: { type: "add", by }, output: answer };
  }
  if (output !== undefined && value === undefined) {
    return { ok: false, reason: "the output of a get needs a value, a whole number" };
  }
  return { ok: true, input: { type: "get" }, output: answer };
}
