// The machine against a plain Map: random commands, the same results and the same listing; and two machines with the
// same commands have the same bytes in their stores.
import { assertEquals } from "@std/assert";
import { test } from "bun:test";
import { type Condition, encodeCommand, type KvCommand, type KvResult } from "../../lib/kv/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { bytes, del, delPrefix, Kv, put, text } from "./support.ts";

type Row = { value: string; revision: number; createRevision: number; version: number };

class Model {
  readonly rows = new Map<string, Row>();

  run(command: KvCommand, revision: number): KvResult {
    if (command.type === "deletePrefix") {
      const keys = [...this.rows.keys()].filter((key) => key.startsWith(text(command.prefix)));
      for (const key of keys) this.rows.delete(key);
      return { type: "delete", deleted: keys.length, revision };
    }
    const key = text(command.key);
    const row = this.rows.get(key);
    const failed = command.conditions.some((condition) => {
      if (condition.type === "absent") return row !== undefined;
      if (row === undefined) return true;
      if (condition.type === "revision") return row.revision !== condition.revision;
      return condition.type === "value" && row.value !== text(condition.value);
    });
    if (failed) return { type: "precondition_failed", current: row?.revision ?? null };
    if (command.type === "delete") {
      return { type: "delete", deleted: this.rows.delete(key) ? 1 : 0, revision };
    }
    const createRevision = row === undefined ? revision : row.createRevision;
    const version = row === undefined ? 1 : row.version + 1;
    this.rows.set(key, { value: text(command.value), revision, createRevision, version });
    return { type: "put", created: row === undefined, revision, createRevision, version };
  }
}

function randomCommand(random: () => number, index: number): KvCommand {
  const below = (n: number) => Math.floor(random() * n);
  const letter = () => "abc".charAt(below(3));
  const key = Array.from({ length: 1 + below(3) }, letter).join("");
  const condition = (): Condition[] => {
    switch (below(7)) {
      case 0:
        return [{ type: "exists" }];
      case 1:
        return [{ type: "absent" }];
      case 2:
        return [{ type: "value", value: bytes(letter()) }];
      case 3:
        return [{ type: "revision", revision: Math.max(0, index - below(30)) }];
      default:
        return [];
    }
  };
  const dice = random();
  if (dice < 0.65) return put(key, letter(), ...condition());
  if (dice < 0.97) return del(key, ...condition());
  return delPrefix(key);
}

test("random commands: the same as a Map, step by step", () => {
  const seed = printedSeed("model");
  const random = seededRandom(seed);
  for (let round = 0; round < 20; round++) {
    const kv = new Kv();
    const model = new Model();
    for (let index = 1; index <= 500; index++) {
      const command = randomCommand(random, index);
      assertEquals(kv.run(command), model.run(command, index), `SEED=${seed} round ${round} index ${index}`);
      if (index % 25 !== 0) continue;
      const listed = kv.list({ limit: 1000 }).items.map((
        { key, value, revision, createRevision, version },
      ) => [
        text(key),
        { value: text(value ?? bytes("")), revision, createRevision, version },
      ]);
      assertEquals(
        listed,
        [...model.rows].sort(([a], [b]) => a < b ? -1 : 1),
        `SEED=${seed} listing at ${index}`,
      );
    }
  }
});

test("the same commands leave the same bytes and give the same results", () => {
  const seed = printedSeed("determinism");
  const random = seededRandom(seed);
  const commands = Array.from(
    { length: 2000 },
    (_, index) => encodeCommand(randomCommand(random, index + 1)),
  );
  const [one, two] = [new Kv(), new Kv()];
  const range = { start: new Uint8Array(), end: null };
  for (const command of commands) {
    // The second machine gets its command inside a larger buffer, as a frame would bring it.
    const frame = new Uint8Array(command.byteLength + 16);
    frame.set(command, 5);
    const given = frame.subarray(5, 5 + command.byteLength);
    assertEquals(one.apply(command), two.apply(given), `SEED=${seed}`);
    // It must have kept nothing of what it was given.
    frame.fill(0xaa);
  }
  assertEquals([...one.store.scan(range)], [...two.store.scan(range)], `SEED=${seed}`);
});
