// Maelstrom's front door, workload lin-kv (docs/adapters.md): a JSON object a line; read, write and cas of any JSON
// values. Everything goes through the replica as always: on a follower it forwards writes and asks the leader for reads.
import {
  decodeResult,
  encodeCommand,
  getItem,
  type KvAnswer,
  type KvQuery,
  kvStateMachine,
} from "../kv/mod.ts";
import type { Condition } from "../kv/mod.ts";
import type { Outcome } from "../replica/api.ts";
import type { Replica } from "../replica/replica.ts";
import { canonicalJson, isObject, type JsonObject, parseObject } from "./json.ts";
import { type Host, memoryReplica, type TimingProfile } from "./memory-replica.ts";
import { isWire } from "./wire.ts";
import { WireLinks } from "./wire-links.ts";

/** For networks whose messages take up to tens of milliseconds, and clients who wait a second. */
export const maelstromProfile: TimingProfile = { heartbeatMs: 120, electionMs: 700, tickMs: 10, raft: {} };

/** A little less than clients wait. */
const requestMs = 900;
const keyspace = 3;

/** Maelstrom's error codes that are spoken here. */
export const maelstromErrors = {
  timeout: 0,
  notSupported: 10,
  temporarilyUnavailable: 11,
  malformed: 12,
  crash: 13,
  keyDoesNotExist: 20,
  preconditionFailed: 22,
} as const;

export type MaelstromOptions = {
  readonly host: Host;
  /** Writes one line to stdout; nothing else may. */
  readonly write: (line: string) => void;
};

type Ending = { readonly type: "ok"; readonly value?: unknown } | {
  readonly type: "error";
  readonly error: keyof typeof maelstromErrors;
  readonly text: string;
};

const ok: Ending = { type: "ok" };

export class Maelstrom {
  readonly #options: MaelstromOptions;
  #node: Node | null = null;

  constructor(options: MaelstromOptions) {
    this.#options = options;
  }

  /** One line of stdin. */
  receive(line: string): void {
    const message = parseObject(line);
    const { src, dest, body } = message ?? {};
    if (typeof src !== "string" || !isObject(body)) {
      return this.#options.host.log("warning", "a line that is no message", { line: line.slice(0, 200) });
    }
    if (body["type"] === "init") this.#init(src, body);
    else if (this.#node !== null) this.#node.receive(src, body);
    else if (typeof dest === "string" && body["in_reply_to"] === undefined && !isWire(body)) {
      const text = "this node was not told yet who it is (init)";
      const code = maelstromErrors.temporarilyUnavailable;
      this.#write(dest, src, { type: "error", in_reply_to: body["msg_id"], code, text });
    } else this.#options.host.log("warning", "a message before init", { src });
  }

  #write(src: string, dest: string, body: JsonObject): void {
    this.#options.write(JSON.stringify({ src, dest, body }));
  }

  #init(src: string, body: JsonObject): void {
    const { node_id: id, node_ids: ids, msg_id } = body;
    if (typeof id !== "string" || !Array.isArray(ids) || !ids.every((each) => typeof each === "string")) {
      return this.#options.host.log("warning", "an init without node_id and node_ids", { src });
    }
    this.#node ??= new Node(this.#options, id, ids);
    this.#node.send(src, { type: "init_ok", in_reply_to: msg_id });
  }
}

class Node {
  readonly #options: MaelstromOptions;
  readonly #id: string;
  readonly #links: WireLinks;
  readonly #replica: Replica<KvQuery, KvAnswer>;

  constructor(options: MaelstromOptions, id: string, ids: readonly string[]) {
    const { host } = options;
    this.#options = options;
    this.#id = id;
    this.#links = new WireLinks({
      self: id,
      members: ids,
      deliver: (dest, wire) => this.send(dest, wire),
      soon: host.soon,
      now: () => host.clock.monotonic(),
    });
    this.#replica = memoryReplica({
      ...{ host, id, ids, links: this.#links },
      machine: kvStateMachine,
      profile: maelstromProfile,
    });
    this.#replica.start();
  }

  send(dest: string, body: JsonObject): void {
    this.#options.write(JSON.stringify({ src: this.#id, dest, body }));
  }

  receive(src: string, body: JsonObject): void {
    if (isWire(body)) {
      if (!this.#links.receive(src, body)) this.#options.host.log("warning", "a malformed message", { src });
      return;
    }
    // Replies to nobody: nothing was asked.
    if (body["in_reply_to"] !== undefined) return;
    this.#answer(src, body).catch((error: unknown) => this.#options.host.fatal(String(error)));
  }

  async #answer(src: string, body: JsonObject): Promise<void> {
    const { type, msg_id } = body;
    const ending = await this.#carryOut(body);
    if (ending.type === "ok") return this.send(src, { ...ending, type: `${type}_ok`, in_reply_to: msg_id });
    const { error, text } = ending;
    this.send(src, { type: "error", in_reply_to: msg_id, code: maelstromErrors[error], text });
  }

  #carryOut(body: JsonObject): Ending | Promise<Ending> {
    const { type, key, value, from, to } = body;
    // Types are strangers' words: "__proto__" is one, too.
    const operations = new Map<unknown, readonly unknown[]>(
      [["read", [key]], ["write", [key, value]], ["cas", [key, from, to]]],
    );
    const fields = operations.get(type);
    if (fields === undefined) {
      return refused("notSupported", `no operation ${JSON.stringify(type) ?? "named"}`);
    }
    if (fields.includes(undefined)) return refused("malformed", `"${type}" lacks a field`);
    const at = bytesOf(key);
    if (type === "read") return this.#read(at);
    if (type === "write") return this.#write(at, value);
    return this.#cas(at, from, to, body["create_if_not_exists"] === true);
  }

  async #read(key: Uint8Array): Promise<Ending> {
    const permit = await this.#replica.read({ type: "linearizable" }, { timeoutMs: requestMs });
    if (!permit.ok) return refused("temporarilyUnavailable", permit.reason);
    const item = getItem(this.#replica, { keyspace, key });
    if (item === null) return refused("keyDoesNotExist", "there is no such key");
    return { type: "ok", value: JSON.parse(new TextDecoder().decode(item.value)) };
  }

  async #write(key: Uint8Array, value: unknown): Promise<Ending> {
    const outcome = await this.#put(key, value, [], requestMs);
    return outcome.type === "done" ? ok : undone(outcome);
  }

  /** An absent key is created by a second command, whose own condition holds if nobody else was faster. */
  async #cas(key: Uint8Array, from: unknown, to: unknown, create: boolean): Promise<Ending> {
    const { clock } = this.#options.host;
    const deadline = clock.monotonic() + requestMs;
    for (;;) {
      for (const absent of create ? [false, true] : [false]) {
        const condition: Condition = absent ? { type: "absent" } : { type: "value", value: bytesOf(from) };
        const outcome = await this.#put(key, to, [condition], deadline - clock.monotonic());
        if (outcome.type !== "done") return undone(outcome);
        const result = decodeResult(outcome.result);
        if (result.type === "put") return ok;
        const exists = result.type === "precondition_failed" && result.current !== null;
        if (!absent && exists) return refused("preconditionFailed", "the value is another one");
        if (!create) return refused("keyDoesNotExist", "there is no such key");
      }
    }
  }

  #put(key: Uint8Array, value: unknown, conditions: Condition[], timeoutMs: number): Promise<Outcome> {
    const command = encodeCommand({
      ...{ type: "put", keyspace, key, value: bytesOf(value) },
      ...{ contentType: "", conditions },
    });
    return this.#replica.propose(command, { timeoutMs });
  }
}

function refused(error: keyof typeof maelstromErrors, text: string): Ending {
  return { type: "error", error, text };
}

/** A refusal is definite; what is not known is not called a failure. */
function undone(outcome: Exclude<Outcome, { type: "done" }>): Ending {
  if (outcome.type === "refused") return refused("temporarilyUnavailable", outcome.reason);
  return refused(outcome.reason === "deadline" ? "timeout" : "crash", `not known: ${outcome.reason}`);
}

function bytesOf(value: unknown): Uint8Array {
  return new TextEncoder().encode(canonicalJson(value));
}
