// A list that only grows: append and read. Because nothing is ever taken away, every state is a beginning of the
// longest list that anyone read; so a state is just a length, and an order of appends that contradicts that
// list is refused at once instead of being found wrong thousands of operations later.
import type { Operation } from "./history.ts";
import { canonicalJson, isObject, shortText, strangeField } from "./json.ts";
import { type Decoded, type Encoded, type FileModel, IMPOSSIBLE, type Model } from "./model.ts";

/** Values are canonical JSON text. */
export type ListInput = { readonly type: "append"; readonly value: string } | { readonly type: "read" };

export type ListOutput = { readonly type: "appended" } | {
  readonly type: "list";
  readonly values: readonly string[];
};

type ListOperation = Operation<ListInput, ListOutput>;

/** The list itself, or (after narrowing) how long a beginning of the longest read list it is. */
export type ListState = readonly string[] | number;

export function appendListModel(): FileModel<ListState, ListInput, ListOutput> {
  return {
    ...shared,
    init: () => [],
    step(state, input, output) {
      const list = typeof state === "number" ? [] : state;
      if (input.type === "append") return { ok: true, state: [...list, input.value] };
      return output?.type === "list" && sameList(output.values, list) ? { ok: true, state } : IMPOSSIBLE;
    },
    key: (state) => JSON.stringify(state),
    describeState: (state) => listText(typeof state === "number" ? [] : state),
    decode,
    encode,
    narrow: (operations: readonly ListOperation[]) => {
      const longest = longestRead(operations);
      return { model: narrowedModel(longest), operations: withoutUnread(operations, longest) };
    },
  };
}

const shared = {
  name: "list",
  partition: "key" as const,
  readOnly: (input: ListInput) => input.type === "read",
  inputKey: (input: ListInput) => JSON.stringify(input),
  describe,
};

/** What lies beyond `longest` nobody can see: one append past it ends all distinctions. */
function narrowedModel(longest: readonly string[]): Model<ListState, ListInput, ListOutput> {
  const agreeing = new Map<readonly string[], boolean>();
  const agrees = (values: readonly string[]): boolean => {
    const known = agreeing.get(values) ?? isBeginning(values, longest);
    agreeing.set(values, known);
    return known;
  };
  return {
    ...shared,
    init: () => 0,
    step(state, input, output) {
      const length = typeof state === "number" ? state : state.length;
      if (input.type === "append") {
        if (length < longest.length && longest[length] !== input.value) return IMPOSSIBLE;
        return { ok: true, state: Math.min(length + 1, longest.length + 1) };
      }
      if (output?.type !== "list" || output.values.length !== length) return IMPOSSIBLE;
      return agrees(output.values) ? { ok: true, state } : IMPOSSIBLE;
    },
    key: (state) => typeof state === "number" ? state : state.length,
    describeState: (state) => {
      const length = typeof state === "number" ? state : state.length;
      return listText(longest.slice(0, length)) + (length > longest.length ? " and more" : "");
    },
  };
}

function listText(values: readonly string[]): string {
  return `[${shortText(values.join(", "), 80)}]`;
}

function longestRead(operations: readonly ListOperation[]): readonly string[] {
  let longest: readonly string[] = [];
  for (const { outcome } of operations) {
    if (
      outcome.type === "ok" && outcome.output.type === "list" && outcome.output.values.length > longest.length
    ) {
      longest = outcome.output.values;
    }
  }
  return longest;
}

/** An unknown append of a value in no read can only come after every read: leaving it out changes nothing. */
function withoutUnread(
  operations: readonly ListOperation[],
  longest: readonly string[],
): readonly ListOperation[] {
  const read = new Set(longest);
  return operations.filter(({ input, outcome }) =>
    outcome.type !== "unknown" || (input.type === "append" && read.has(input.value))
  );
}

function isBeginning(values: readonly string[], longest: readonly string[]): boolean {
  return values.every((value, index) => value === longest[index]);
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && isBeginning(left, right);
}

function describe(input: ListInput, output: ListOutput | undefined): string {
  if (input.type === "append") return `append ${shortText(input.value)}`;
  return output?.type === "list" ? `read → ${listText(output.values)}` : "read";
}

function encode(input: ListInput, output: ListOutput | undefined): Encoded {
  return {
    input: input.type === "append" ? { op: "append", value: JSON.parse(input.value) } : { op: "read" },
    output: output?.type === "list"
      ? { value: output.values.map((value) => JSON.parse(value)) }
      : output && {},
  };
}

function decode(input: unknown, output: unknown): Decoded<ListInput, ListOutput> {
  if (!isObject(input)) return { ok: false, reason: "input must be an object with an op" };
  if (output !== undefined && !isObject(output)) return { ok: false, reason: "output must be an object" };
  const isAppend = input["op"] === "append";
  if (!isAppend && input["op"] !== "read" && input["op"] !== "get") {
    return { ok: false, reason: `input.op must be append or read, not ${canonicalJson(input["op"])}` };
  }
  const strange = strangeField(input["op"], { input, output }, {
    input: isAppend ? ["op", "value"] : ["op"],
    output: isAppend ? [] : ["value"],
  });
  if (strange !== null) return { ok: false, reason: strange };
  if (isAppend) {
    if (input["value"] === undefined) return { ok: false, reason: "an append needs a value" };
    const append = { type: "append" as const, value: canonicalJson(input["value"]) };
    return { ok: true, input: append, output: output === undefined ? undefined : { type: "appended" } };
  }
  if (output === undefined) return { ok: true, input: { type: "read" }, output: undefined };
  const values = output["value"] ?? [];
  if (!Array.isArray(values)) return { ok: false, reason: "the output of a read needs a value, a list" };
  return { ok: true, input: { type: "read" }, output: { type: "list", values: values.map(canonicalJson) } };
}
