// The key-value store as a workload: put, get, delete, compare-and-swap, conditions by revision, on presence and absence,
// lists, and deleting by prefix. kv-oracle.ts knows what each must have seen.
import { encodeCommand, type KvAnswer, type KvCommand, type KvQuery, kvStateMachine } from "../kv/mod.ts";
import { decodeResult } from "../kv/mod.ts";
import { type KvInput, kvModel, type KvOutput, type KvState, kvValue } from "./linearizability/kv-model.ts";
import type { RandomSource } from "./random.ts";
import { KvOracle } from "./kv-oracle.ts";
import type { Workload, WorkloadClient, WorkloadOperation } from "./workload.ts";

export type KvWorkloadOptions = {
  /** Few keys make contention, many keep the histories of each short. Default 24. */
  readonly keys?: number;
};

export const defaultKeys = 24;
/** With more keys than this nobody lists or deletes several at once: each would be an operation on all of them. */
const maxListedKeys = 200;

type Operation = WorkloadOperation<KvQuery, KvInput>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function kvWorkload(
  { keys = defaultKeys }: KvWorkloadOptions = {},
): Workload<KvQuery, KvAnswer, KvState, KvInput, KvOutput> {
  return {
    name: "kv",
    machine: kvStateMachine,
    client: (name) => kvClient(name, keys),
    outputOfResult,
    outputOfAnswer,
    model: kvModel(),
    oracle: () => new KvOracle(),
  };
}

function kvClient(name: string, keys: number): WorkloadClient<KvQuery, KvInput, KvOutput> {
  const known = new Map<string, { revision: number; value: string | null }>();
  let made = 0;
  return {
    next: (random) => {
      if (keys <= maxListedKeys && random.chance(0.05)) return several(random, keys);
      return draw(random, `k${random.integer(0, keys)}`, `${name}.${++made}`, known);
    },
    learned: ({ key, input }, output) => {
      if (output.type === "value" && output.revision !== undefined) {
        known.set(key, { revision: output.revision, value: output.value });
      } else if (output.type === "written" && output.revision !== undefined && input.type === "put") {
        known.set(key, { revision: output.revision, value: input.value });
      } else if (output.type === "deleted" || output.type === "mismatch") known.delete(key);
    },
  };
}

/** What concerns several keys at once: a list of a range, or, more rarely, deleting all that have a prefix. */
function several(random: RandomSource, keys: number): Operation {
  const all = Array.from({ length: keys }, (_, at) => `k${at}`);
  const prefix = random.chance(0.3) ? "k" : `k${random.integer(0, Math.min(keys, 10))}`;
  const named = all.filter((key) => key.startsWith(prefix));
  if (random.chance(0.2)) {
    const parts = named.map((key) => ({ key, input: { type: "delete" } as const }));
    const command: KvCommand = { type: "deletePrefix", keyspace: 0, prefix: encoder.encode(prefix) };
    return { ...write(`${prefix}*`, { type: "delete" }, command), parts };
  }
  const bound = () => random.chance(0.3) ? encoder.encode(random.pick(all)) : undefined;
  const query: KvQuery = {
    ...{ type: "list", keyspace: 0, prefix: encoder.encode(prefix), start: bound(), end: bound() },
    ...{ reverse: random.chance(0.3), keysOnly: random.chance(0.2) },
    limit: random.chance(0.4) ? random.integer(1, 6) : 1000,
  };
  const parts = named.map((key) => ({ key, input: { type: "get" } as const }));
  return { ...read(`${prefix}*`, { type: "get" }, query), parts };
}

function draw(
  random: RandomSource,
  key: string,
  fresh: string,
  known: ReadonlyMap<string, { readonly revision: number; readonly value: string | null }>,
): Operation {
  const keyBytes = encoder.encode(key);
  const seen = known.get(key);
  const chance = random.next();
  if (chance < 0.4) {
    return read(key, { type: "get" }, { type: "get", keyspace: 0, key: keyBytes });
  }
  // Mostly small; some are large enough to meet the bounds of messages and buffers.
  const value = random.chance(0.02) ? fresh.padEnd(random.integer(100, 4000), ".") : fresh;
  const put = { type: "put", keyspace: 0, key: keyBytes, contentType: "", conditions: [] } as const;
  const valueBytes = encoder.encode(value);
  if (chance < 0.7 || (seen === undefined && chance < 0.8)) {
    return write(key, { type: "put", value: kvValue(value) }, { ...put, value: valueBytes });
  }
  const remove = { type: "delete", keyspace: 0, key: keyBytes, conditions: [] } as const;
  if (chance < 0.8 && seen !== undefined) {
    const conditions = [{ type: "revision", revision: seen.revision }] as const;
    const input = { type: "put", value: kvValue(value), ifRevision: seen.revision } as const;
    return write(key, input, { ...put, value: valueBytes, conditions });
  }
  if (chance < 0.83) {
    // The model needs no word for it: a put that changed the key, or one that says nothing.
    const conditions = [{ type: "exists" }] as const;
    return write(key, { type: "put", value: kvValue(value) }, { ...put, value: valueBytes, conditions });
  }
  if (chance < 0.87) {
    const input = { type: "put", value: kvValue(value), ifAbsent: true } as const;
    return write(key, input, { ...put, value: valueBytes, conditions: [{ type: "absent" }] });
  }
  if (chance < 0.92 && seen !== undefined && seen.value !== null) {
    const expected: unknown = JSON.parse(seen.value);
    const conditions = [{ type: "value", value: encoder.encode(String(expected)) }] as const;
    const input = { type: "cas", from: seen.value, to: kvValue(value) } as const;
    return write(key, input, { ...put, value: valueBytes, conditions });
  }
  if (chance < 0.95 && seen !== undefined) {
    const conditions = [{ type: "revision", revision: seen.revision }] as const;
    return write(key, { type: "delete", ifRevision: seen.revision }, { ...remove, conditions });
  }
  return write(key, { type: "delete" }, remove);
}

function read(key: string, input: KvInput, query: KvQuery): Operation {
  return { key, input, action: { type: "read", query } };
}

function write(key: string, input: KvInput, command: KvCommand): Operation {
  return { key, input, action: { type: "write", command: encodeCommand(command) } };
}

function outputOfResult({ input, parts }: Operation, bytes: Uint8Array): KvOutput | undefined {
  const result = decodeResult(bytes);
  switch (result.type) {
    case "put":
      return { type: "written", revision: result.revision, created: result.created };
    case "delete": {
      const { deleted, revision } = result;
      // Of several keys only the sum is told.
      if (parts !== undefined && deleted > 0) return { type: "deleted", revision };
      return { type: "deleted", deleted: deleted === 0 ? 0 : 1, revision };
    }
    default: {
      const unconditional = input.type === "put" && input.ifAbsent === undefined &&
        input.ifRevision === undefined;
      return unconditional ? undefined : { type: "mismatch" };
    }
  }
}

function outputOfAnswer({ key, action }: Operation, answer: KvAnswer): KvOutput | undefined {
  if (answer.type === "item") return valueOf(answer.item);
  if (action.type !== "read" || action.query.type !== "list") {
    throw new Error("a get is answered with an item");
  }
  const found = answer.items.find((item) => decoder.decode(item.key) === key);
  if (found !== undefined) {
    const { value, revision } = found;
    return value === null ? undefined : valueOf({ value, revision });
  }
  const { start, end, reverse } = action.query;
  const next = answer.next === null ? null : decoder.decode(answer.next);
  const listed = (start === undefined || key >= decoder.decode(start)) &&
    (end === undefined || key < decoder.decode(end)) &&
    (next === null || (reverse === true ? key > next : key < next));
  return listed ? valueOf(null) : undefined;
}

function valueOf(item: { readonly value: Uint8Array; readonly revision: number } | null): KvOutput {
  if (item === null) return { type: "value", value: null };
  return { type: "value", value: kvValue(decoder.decode(item.value)), revision: item.revision };
}
