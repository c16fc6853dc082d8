// One key of a key-value store: put, get, delete, compare-and-swap by value, conditions by revision. A write
// whose answer is unknown leaves a revision that is not known yet: the state then holds what is known about it
// (more than `floor`, none of `excluded`) until somebody sees it.
import type { Operation } from "./history.ts";
import { canonicalJson, shortText } from "./json.ts";
import { decodeKv, encodeKv } from "./kv-json.ts";
import { type FileModel, IMPOSSIBLE, type StepResult } from "./model.ts";
import { narrowKv, seenValues } from "./kv-narrow.ts";

/** Values are canonical JSON text (`kvValue`), so that equality is string equality. */
export type KvInput =
  | { readonly type: "get" }
  | { readonly type: "put"; readonly value: string; readonly ifRevision?: number; readonly ifAbsent?: true }
  | { readonly type: "delete"; readonly ifRevision?: number }
  | { readonly type: "cas"; readonly from: string; readonly to: string };

export type KvOutput =
  /** `value` null: there is no such key. */
  | { readonly type: "value"; readonly value: string | null; readonly revision?: number }
  /** Done: a put, or a compare-and-swap that swapped. `created`: there was no such key before. */
  | { readonly type: "written"; readonly revision?: number; readonly created?: boolean }
  | { readonly type: "deleted"; readonly deleted?: 0 | 1; readonly revision?: number }
  /** The condition did not hold; nothing was changed. */
  | { readonly type: "mismatch" };

export type KvState = {
  readonly value: string | null;
  /** Of the present value; null while nobody has seen it. */
  readonly revision: number | null;
  /** Every later write of this key has a greater revision. */
  readonly floor: number;
  /** Revisions that the present value is known not to have; only while `revision` is null. */
  readonly excluded: readonly number[];
};

type KvOperation = Operation<KvInput, KvOutput>;

const NONE: readonly number[] = [];

export function kvValue(value: unknown): string {
  return canonicalJson(value);
}

/** The key-value model; `initial` is the value before the history began (canonical JSON text). */
export function kvModel(initial: string | null = null): FileModel<KvState, KvInput, KvOutput> {
  const model: FileModel<KvState, KvInput, KvOutput> = {
    name: "kv",
    partition: "key",
    init: () => ({ value: initial, revision: null, floor: 0, excluded: NONE }),
    step,
    key: ({ value, revision, floor, excluded }) =>
      `${revision ?? `>${floor}!${excluded.join("!")}`} ${value ?? ""}`,
    readOnly: (input, output) =>
      input.type === "get" || output?.type === "mismatch" ||
      (output?.type === "deleted" && output.deleted === 0),
    inputKey: (input) => JSON.stringify(input),
    overwrites: (input) =>
      (input.type === "put" && input.ifRevision === undefined && input.ifAbsent === undefined) ||
      (input.type === "delete" && input.ifRevision === undefined),
    narrow: (operations: readonly KvOperation[]) => ({ model, operations: narrowKv(operations) }),
    anyState,
    describe,
    describeState: ({ value, revision }) =>
      value === null
        ? "absent"
        : revision === null
        ? shortText(value)
        : `${shortText(value)} (revision ${revision})`,
    decode: decodeKv,
    encode: encodeKv,
  };
  return model;
}

/** No canonical JSON text starts like this. */
const OTHER = "?other";

/** Of values that nothing names, one stands for all; of a revision that is not known, nothing rules anything out. */
function anyState(operations: readonly KvOperation[]): readonly KvState[] {
  const values = [null, ...seenValues(operations), OTHER];
  return values.map((value) => ({ value, revision: null, floor: 0, excluded: NONE }));
}

function step(state: KvState, input: KvInput, output: KvOutput | undefined): StepResult<KvState> {
  switch (input.type) {
    case "get":
      return output?.type === "value" ? read(state, output) : IMPOSSIBLE;
    case "put":
      return put(state, input, output);
    case "delete":
      return remove(state, input, output);
    case "cas":
      if (output?.type === "mismatch") return state.value === input.from ? IMPOSSIBLE : { ok: true, state };
      return state.value === input.from ? write(state, input.to, output) : IMPOSSIBLE;
  }
}

function read(state: KvState, output: KvOutput & { type: "value" }): StepResult<KvState> {
  if (output.value !== state.value) return IMPOSSIBLE;
  if (state.value === null || output.revision === undefined) return { ok: true, state };
  return atRevision(state, output.revision);
}

function put(
  state: KvState,
  input: KvInput & { type: "put" },
  output: KvOutput | undefined,
): StepResult<KvState> {
  if (input.ifAbsent === true) {
    if (output?.type === "mismatch") return state.value === null ? IMPOSSIBLE : { ok: true, state };
    return state.value === null ? write(state, input.value, output) : IMPOSSIBLE;
  }
  if (input.ifRevision === undefined) {
    return output?.type === "mismatch" ? IMPOSSIBLE : write(state, input.value, output);
  }
  if (output?.type === "mismatch") return notAtRevision(state, input.ifRevision);
  const matching = atRevision(state, input.ifRevision);
  return matching.ok ? write(matching.state, input.value, output) : IMPOSSIBLE;
}

function remove(
  state: KvState,
  input: KvInput & { type: "delete" },
  output: KvOutput | undefined,
): StepResult<KvState> {
  if (input.ifRevision !== undefined) {
    if (output?.type === "mismatch") return notAtRevision(state, input.ifRevision);
    const matching = atRevision(state, input.ifRevision);
    return matching.ok ? erase(matching.state, output) : IMPOSSIBLE;
  }
  if (output?.type === "mismatch") return IMPOSSIBLE;
  if (state.value !== null) return erase(state, output);
  // Nothing there to delete: an answer may say 0 or nothing, an unknown delete had no effect.
  return output?.type === "deleted" && output.deleted !== 1 ? { ok: true, state } : IMPOSSIBLE;
}

function write(state: KvState, value: string, output: KvOutput | undefined): StepResult<KvState> {
  const floor = state.revision ?? state.floor;
  if (output === undefined) return { ok: true, state: { value, revision: null, floor, excluded: NONE } };
  if (output.type !== "written") return IMPOSSIBLE;
  if (output.created !== undefined && output.created !== (state.value === null)) return IMPOSSIBLE;
  if (output.revision === undefined) {
    return { ok: true, state: { value, revision: null, floor, excluded: NONE } };
  }
  if (output.revision <= floor) return IMPOSSIBLE;
  return { ok: true, state: { value, revision: output.revision, floor: 0, excluded: NONE } };
}

function erase(state: KvState, output: KvOutput | undefined): StepResult<KvState> {
  const floor = state.revision ?? state.floor;
  if (output !== undefined && (output.type !== "deleted" || output.deleted === 0)) return IMPOSSIBLE;
  if (output?.revision !== undefined && output.revision <= floor) return IMPOSSIBLE;
  return {
    ok: true,
    state: { value: null, revision: null, floor: output?.revision ?? floor, excluded: NONE },
  };
}

/** The state if the present value has this revision. */
function atRevision(state: KvState, revision: number): StepResult<KvState> {
  if (state.value === null) return IMPOSSIBLE;
  if (state.revision !== null) return state.revision === revision ? { ok: true, state } : IMPOSSIBLE;
  if (revision <= state.floor || state.excluded.includes(revision)) return IMPOSSIBLE;
  return { ok: true, state: { value: state.value, revision, floor: 0, excluded: NONE } };
}

/** The state if the present value, if any, has another revision. */
function notAtRevision(state: KvState, revision: number): StepResult<KvState> {
  if (state.value === null) return { ok: true, state };
  if (state.revision !== null) return state.revision === revision ? IMPOSSIBLE : { ok: true, state };
  if (revision <= state.floor || state.excluded.includes(revision)) return { ok: true, state };
  const excluded = [...state.excluded, revision].sort((a, b) => a - b);
  return { ok: true, state: { ...state, excluded } };
}

function describe(input: KvInput, output: KvOutput | undefined): string {
  const revision = output !== undefined && "revision" in output && output.revision !== undefined
    ? ` @${output.revision}`
    : "";
  const refused = output?.type === "mismatch" ? " → refused" : "";
  switch (input.type) {
    case "get":
      return output?.type === "value" ? `get → ${shortText(output.value ?? "absent")}${revision}` : "get";
    case "put": {
      const condition = input.ifAbsent === true
        ? " if absent"
        : input.ifRevision === undefined
        ? ""
        : ` if revision ${input.ifRevision}`;
      const created = output?.type === "written" && output.created !== undefined
        ? output.created ? " (made)" : " (changed)"
        : "";
      return `put ${shortText(input.value)}${condition}${refused}${revision}${created}`;
    }
    case "delete": {
      const condition = input.ifRevision === undefined ? "" : ` if revision ${input.ifRevision}`;
      const count = output?.type === "deleted" && output.deleted !== undefined ? ` → ${output.deleted}` : "";
      return `delete${condition}${refused}${count}${revision}`;
    }
    case "cas":
      return `cas ${shortText(input.from, 20)} to ${shortText(input.to, 20)}${refused}${revision}`;
  }
}
