// A second, independent implementation of the key-value store: every version of every key, so that each result in the log
// and each read of any index can be held against what it must have been.
import { type KvAnswer, type KvQuery, type ListedItem } from "../kv/mod.ts";
import { decodeCommand, decodeResult } from "../kv/mod.ts";
import type { Oracle } from "./workload.ts";

const decoder = new TextDecoder();

/** A version of a key; `value` null = deleted. */
type Version = { readonly revision: number; readonly value: string | null; created: number; count: number };

export class KvOracle implements Oracle<KvQuery, KvAnswer> {
  readonly #versions = new Map<string, Version[]>();

  committed(index: number, bytes: Uint8Array, resultBytes: Uint8Array): string | null {
    const command = decodeCommand(bytes);
    const result = decodeResult(resultBytes);
    const complaint = (what: string) =>
      `${command.type} ${what} at ${index} answered ${JSON.stringify(result)}`;
    if (command.type === "deletePrefix") {
      const prefix = decoder.decode(command.prefix);
      const there = this.#keysAt(index).filter((key) => key.startsWith(prefix));
      for (const key of there) this.#push(key, { revision: index, value: null, created: 0, count: 0 });
      const right = result.type === "delete" && result.deleted === there.length && result.revision === index;
      return right ? null : complaint(prefix);
    }
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
    if (!holds) {
      const right = result.type === "precondition_failed" && result.current === (before?.revision ?? null);
      return right
        ? null
        : `${complaint(key)}; its condition does not hold, revision is ${before?.revision ?? "none"}`;
    }
    if (command.type === "delete") {
      if (before !== null) this.#push(key, { revision: index, value: null, created: 0, count: 0 });
      const right = result.type === "delete" && result.deleted === (before === null ? 0 : 1);
      return right ? null : complaint(key);
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
    return right ? null : complaint(key);
  }

  read(index: number, query: KvQuery, answer: KvAnswer): string | null {
    if (query.type === "list") return this.#list(index, query, answer);
    if (answer.type !== "item") return `a get at ${index} was answered with a page`;
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

  #list(index: number, query: KvQuery & { type: "list" }, answer: KvAnswer): string | null {
    if (answer.type !== "page") return `a list at ${index} was answered with an item`;
    const text = (bytes: Uint8Array | undefined) => bytes === undefined ? undefined : decoder.decode(bytes);
    const [prefix = "", start = "", end] = [text(query.prefix), text(query.start), text(query.end)];
    const keys = this.#keysAt(index).filter((key) =>
      key.startsWith(prefix) && key >= start && (end === undefined || key < end)
    ).sort();
    if (query.reverse === true) keys.reverse();
    const expected = keys.slice(0, query.limit).map((key) => {
      const { value, revision } = this.#at(key, index) ?? { value: null, revision: 0 };
      return `${key}@${revision}=${query.keysOnly === true ? null : value}`;
    });
    const tell = ({ key, revision, value }: ListedItem) =>
      `${decoder.decode(key)}@${revision}=${value === null ? null : decoder.decode(value)}`;
    const found = answer.items.map(tell);
    const next = answer.next === null ? null : decoder.decode(answer.next);
    const right = next === (keys.length > query.limit ? keys[query.limit - 1] ?? null : null);
    if (right && found.join("\n") === expected.join("\n")) return null;
    const short = (items: readonly string[]) =>
      items.map((item) => item.slice(0, 20)).join(", ") || "nothing";
    return `a list of ${prefix}* at ${index} gave ${short(found)}, next ${next}, the log says ${
      short(expected)
    }`;
  }

  #keysAt(index: number): string[] {
    return [...this.#versions.keys()].filter((key) => this.#at(key, index) !== null);
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
