// The key-value store as a workload: put, get, delete, compare-and-swap, conditions by revision and on absence, listings.
// Its oracle is a second, independent implementation: it knows every key's versions and what each read must have seen.
import { encodeCommand, type KvAnswer, type KvCommand, type KvQuery, kvStateMachine } from "../kv/mod.ts";
import { decodeCommand, decodeResult } from "../kv/mod.ts";
import { type KvInput, kvModel, type KvOutput, type KvState, kvValue } from "./linearizability/kv-model.ts";
import type { RandomSource } from "./random.ts";
import type { Oracle, Workload, WorkloadClient, WorkloadOperation } from "./workload.ts";

export type KvWorkloadOptions = {
  /** Few keys make contention, many keep the histories of each short. Default 24. */
  readonly keys?: number;
};

export const defaultKeys = 24;

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
    next: (random) => draw(random, `k${random.integer(0, keys)}`, `${name}.${++made}`, known),
    learned: ({ key, input }, output) => {
      if (output.type === "value" && output.revision !== undefined) {
        known.set(key, { revision: output.revision, value: output.value });
      } else if (output.type === "written" && output.revision !== undefined && input.type === "put") {
        known.set(key, { revision: output.revision, value: input.value });
      } else if (output.type === "deleted" || output.type === "mismatch") known.delete(key);
    },
  };
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
  if (chance < 0.86) {
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

function outputOfResult(_operation: Operation, bytes: Uint8Array): KvOutput {
  const result = decodeResult(bytes);
  switch (result.type) {
    case "put":
      return { type: "written", revision: result.revision, created: result.created };
    case "delete":
      return { type: "deleted", deleted: result.deleted === 0 ? 0 : 1, revision: result.revision };
    default:
      return { type: "mismatch" };
  }
}

function outputOfAnswer(_operation: Operation, answer: KvAnswer): KvOutput {
  if (answer.type !== "item") throw new Error("a get is answered with an item");
  const { item } = answer;
  if (item === null) return { type: "value", value: null };
  return { type: "value", value: kvValue(decoder.decode(item.value)), revision: item.revision };
}

/** A version of a key; `value` null = deleted. */
type Version = { readonly revision: number; readonly value: string | null; created: number; count: number };

class KvOracle implements Oracle<KvQuery, KvAnswer> {
  readonly #versions = new Map<string, Version[]>();

  committed(index: number, bytes: Uint8Array, resultBytes: Uint8Array): string | null {
    const command = decodeCommand(bytes);
    const result = decodeResult(resultBytes);
    if (command.type === "deletePrefix") return null;
    const key = decoder.decode(command.key);
    const before = this.#at(key, index);
    const holds = command.conditions.every((condition) => {
      switch (condition.type) {
        case "revision":
          return before !== null && before.revision === condition.revision;
        case "value":
          return before !== null && before.value === decoder.decode(condition.value);
        case "exists":
          return before !== null;
        case "absent":
          return before === null;
      }
    });
    const complaint = `${command.type} ${key} at ${index} answered ${JSON.stringify(result)}`;
    if (!holds) {
      const right = result.type === "precondition_failed" && result.current === (before?.revision ?? null);
      return right
        ? null
        : `${complaint}; its condition does not hold, revision is ${before?.revision ?? "none"}`;
    }
    if (command.type === "delete") {
      if (before !== null) this.#push(key, { revision: index, value: null, created: 0, count: 0 });
      const right = result.type === "delete" && result.deleted === (before === null ? 0 : 1);
      return right ? null : complaint;
    }
    const version: Version = {
      revision: index,
      value: decoder.decode(command.value),
      created: before?.created ?? index,
      count: (before?.count ?? 0) + 1,
    };
    this.#push(key, version);
    const right = result.type === "put" && result.revision === index &&
      result.created === (before === null) &&
      result.createRevision === version.created && result.version === version.count;
    return right ? null : complaint;
  }

  read(index: number, query: KvQuery, answer: KvAnswer): string | null {
    if (query.type !== "get" || answer.type !== "item") return null;
    const key = decoder.decode(query.key);
    const expected = this.#at(key, index);
    const { item } = answer;
    const found = item === null ? null : { value: decoder.decode(item.value), revision: item.revision };
    if (expected === null && found === null) return null;
    if (
      expected !== null && found !== null && expected.value === found.value &&
      expected.revision === found.revision
    ) {
      return null;
    }
    const tell = (version: { value: string | null; revision: number } | null) =>
      version === null ? "nothing" : `${version.value?.slice(0, 20)} of revision ${version.revision}`;
    return `a read of ${key} at ${index} gave ${tell(found)}, the log says ${tell(expected)}`;
  }

  #push(key: string, version: Version): void {
    const versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, [version]);
    else versions.push(version);
  }

  /** The key as of an index; null = there is no such key. */
  #at(key: string, index: number): Version | null {
    const versions = this.#versions.get(key) ?? [];
    let at = versions.length - 1;
    while (at >= 0 && (versions[at]?.revision ?? 0) > index) at--;
    const version = versions[at];
    return version === undefined || version.value === null ? null : version;
  }
}
