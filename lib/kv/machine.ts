// The key-value state machine: the same commands in the same order leave the same bytes in every replica's store.
// Limits that people configure are checked at the edge, never here: nodes may be configured differently.
import { afterPrefix, equalBytes } from "../bytes/mod.ts";
import type { OrderedStore, StateMachineFactory } from "../replica/ports.ts";
import {
  type Condition,
  decodeCommand,
  type DeleteCommand,
  type DeletePrefixCommand,
  isCommand,
  type KvCommand,
  MAX_KEYS_PER_COMMAND,
  type PutCommand,
} from "./command.ts";
import { answerGet, answerList, type KvAnswer, type KvQuery } from "./query.ts";
import { decodeRecord, encodeRecord, type KvRecord, storeKey } from "./record.ts";
import { encodeResult, type KvResult } from "./result.ts";

/** `apply` throws UnknownCommand or MalformedBytes: the node cannot go on. */
export const kvStateMachine: StateMachineFactory<KvQuery, KvAnswer> = (store) => ({
  accepts: isCommand,
  apply: ({ index, command }) => encodeResult(applyCommand(store, decodeCommand(command), index)),
  query: (query) => query.type === "get" ? answerGet(store, query) : answerList(store, query),
});

function applyCommand(store: OrderedStore, command: KvCommand, revision: number): KvResult {
  switch (command.type) {
    case "put":
      return put(store, command, revision);
    case "delete":
      return deleteKey(store, command, revision);
    case "deletePrefix":
      return deletePrefix(store, command, revision);
  }
}

function put(store: OrderedStore, command: PutCommand, revision: number): KvResult {
  const key = storeKey(command.keyspace, command.key);
  const before = recordAt(store, key);
  if (!command.conditions.every((condition) => holds(condition, before))) return preconditionFailed(before);
  const createRevision = before?.createRevision ?? revision;
  const version = (before?.version ?? 0) + 1;
  const { value, contentType } = command;
  store.put(key, encodeRecord({ value, contentType, revision, createRevision, version }));
  return { type: "put", created: before === null, revision, createRevision, version };
}

function deleteKey(store: OrderedStore, command: DeleteCommand, revision: number): KvResult {
  const key = storeKey(command.keyspace, command.key);
  if (command.conditions.length > 0) {
    const before = recordAt(store, key);
    if (!command.conditions.every((condition) => holds(condition, before))) return preconditionFailed(before);
  }
  return { type: "delete", deleted: store.delete(key) ? 1 : 0, revision };
}

function deletePrefix(store: OrderedStore, command: DeletePrefixCommand, revision: number): KvResult {
  const start = storeKey(command.keyspace, command.prefix);
  const keys: Uint8Array[] = [];
  for (const [key] of store.scan({ start, end: afterPrefix(start), limit: MAX_KEYS_PER_COMMAND + 1 })) {
    if (keys.length === MAX_KEYS_PER_COMMAND) return { type: "too_many", limit: MAX_KEYS_PER_COMMAND };
    keys.push(key);
  }
  for (const key of keys) store.delete(key);
  return { type: "delete", deleted: keys.length, revision };
}

function recordAt(store: OrderedStore, key: Uint8Array): KvRecord | null {
  const found = store.get(key);
  return found === null ? null : decodeRecord(found);
}

function holds(condition: Condition, record: KvRecord | null): boolean {
  switch (condition.type) {
    case "revision":
      return record !== null && record.revision === condition.revision;
    case "value":
      return record !== null && equalBytes(record.value, condition.value);
    case "exists":
      return record !== null;
    case "absent":
      return record === null;
  }
}

function preconditionFailed(record: KvRecord | null): KvResult {
  return { type: "precondition_failed", current: record?.revision ?? null };
}
