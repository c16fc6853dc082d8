// Codecs: what goes in comes out; whatever else comes in is refused in one of two ways.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { MalformedBytes } from "../../lib/bytes/mod.ts";
import {
  decodeCommand,
  decodeRecord,
  decodeResult,
  encodeCommand,
  encodeRecord,
  encodeResult,
  type KvCommand,
  type KvRecord,
  type KvResult,
  UnknownCommand,
} from "../../lib/kv/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { bytes, del, delPrefix, put } from "./support.ts";

const commands: KvCommand[] = [
  put("a", "1"),
  put("", ""),
  put("k".repeat(2048), "v".repeat(100_000), { type: "revision", revision: Number.MAX_SAFE_INTEGER }),
  put("a", "1", { type: "exists" }, { type: "absent" }, { type: "value", value: bytes("old") }),
  { ...put("a", "1"), keyspace: 255 },
  del("a"),
  del("a", { type: "revision", revision: 0 }),
  delPrefix(""),
  delPrefix("a/"),
];

const results: KvResult[] = [
  { type: "put", created: true, revision: 1, createRevision: 1, version: 1 },
  { type: "put", created: false, revision: 2 ** 40, createRevision: 7, version: 300 },
  { type: "delete", deleted: 0, revision: 5 },
  { type: "delete", deleted: 10_000, revision: 5 },
  { type: "precondition_failed", current: null },
  { type: "precondition_failed", current: 12 },
  { type: "too_many", limit: 10_000 },
];

const records: KvRecord[] = [
  { value: bytes(""), contentType: "", revision: 1, createRevision: 1, version: 1 },
  {
    value: bytes("ö\0"),
    contentType: "text/plain; charset=utf-8",
    revision: 2 ** 50,
    createRevision: 3,
    version: 9,
  },
];

describe("round trips", () => {
  for (const command of commands) {
    test(`${command.type} (${encodeCommand(command).byteLength} bytes)`, () => {
      assertEquals(decodeCommand(encodeCommand(command)), command);
    });
  }
  for (const result of results) {
    test(JSON.stringify(result), () => assertEquals(decodeResult(encodeResult(result)), result));
  }
  test("records", () => {
    for (const record of records) assertEquals(decodeRecord(encodeRecord(record)), record);
  });
});

test("the bytes of a command are a contract: they are in people's logs", () => {
  assertEquals(
    encodeCommand(put("k", "v", { type: "revision", revision: 300 })).toHex(),
    "01" + "00" + "00" + "016b" + "01" + "01ac02" + "0a746578742f706c61696e" + "0176",
  );
  assertEquals(encodeCommand(del("k")).toHex(), "02" + "00" + "00" + "016b" + "00");
  assertEquals(encodeCommand(delPrefix("k/")).toHex(), "03" + "00" + "00" + "026b2f");
});

test("a keyspace outside of 0 to 255 is a mistake of ours", () => {
  for (const keyspace of [-1, 256, 0.5, NaN]) {
    assertThrows(() => encodeCommand({ ...delPrefix(""), keyspace }), RangeError);
  }
});

describe("whatever the bytes are", () => {
  /** Calls with random bytes, and with good ones cut, lengthened and changed. */
  function fuzz(name: string, good: readonly Uint8Array[], decode: (bytes: Uint8Array) => unknown): void {
    test(`${name} gives a value, MalformedBytes or UnknownCommand`, () => {
      const seed = printedSeed(name);
      const random = seededRandom(seed);
      const below = (n: number) => Math.floor(random() * n);
      for (let round = 0; round < 20_000; round++) {
        let input = Uint8Array.from({ length: below(40) }, () => below(256));
        const base = good[below(good.length)];
        if (round % 2 === 0 && base !== undefined) {
          input = base.slice(0, round % 4 === 0 ? below(base.byteLength + 1) : base.byteLength);
          if (input.byteLength > 0) input[below(Math.min(input.byteLength, 40))] = below(256);
        }
        try {
          decode(input);
        } catch (error) {
          const expected = error instanceof MalformedBytes || error instanceof UnknownCommand;
          assert(expected, `SEED=${seed} ${input.toHex()}: ${error}`);
        }
      }
    });
  }
  fuzz(
    "decodeCommand",
    commands.filter((c) => c.type !== "put" || c.value.byteLength < 100).map(encodeCommand),
    decodeCommand,
  );
  fuzz("decodeResult", results.map(encodeResult), decodeResult);
  fuzz("decodeRecord", records.map(encodeRecord), decodeRecord);

  test("bytes cut short or with more behind are malformed", () => {
    for (
      const command of [put("ab", "cd", { type: "value", value: bytes("ef") }), del("ab"), delPrefix("ab")]
    ) {
      const whole = encodeCommand(command);
      for (let length = 0; length < whole.byteLength; length++) {
        assertThrows(() => decodeCommand(whole.subarray(0, length)), MalformedBytes);
      }
      assertThrows(() => decodeCommand(new Uint8Array([...whole, 0])), MalformedBytes);
    }
  });
});
