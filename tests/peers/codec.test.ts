// The codec of peer messages: what goes in comes out, and no bytes whatever do harm.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { describe, test } from "bun:test";
import { MalformedBytes } from "../../lib/bytes/mod.ts";
import { decodeFrame, encodeFrame, frameItems } from "../../lib/peers/codec.ts";
import { messageBytes } from "../../lib/replica/peer-messages.ts";
import { maxFrameItems } from "../../lib/peers/frame-budget.ts";
import type { AppendEntries, Entry } from "../../lib/raft/mod.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { append, from, heartbeat, randomMessage, to } from "./messages.ts";

function decodesOrRefuses(bytes: Uint8Array): PeerMessage[] | null {
  try {
    return decodeFrame(bytes, from, to);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    return null;
  }
}

describe("the codec", () => {
  test("gives back what it was given, in order, every kind of message", () => {
    const random = seededRandom(printedSeed("codec round trip"));
    const seen = new Set<string>();
    for (let round = 0; round < 500; round++) {
      const messages = Array.from({ length: Math.floor(random() * 20) }, () => randomMessage(random));
      for (const message of messages) seen.add(message.type);
      assertEquals(decodeFrame(encodeFrame(messages), from, to), messages);
    }
    assertEquals(seen.size, 12);
  });

  test("the estimate of a message's size is never below the truth", () => {
    const random = seededRandom(printedSeed("codec estimate"));
    for (let round = 0; round < 2_000; round++) {
      const message = randomMessage(random);
      assert(encodeFrame([message]).byteLength - 1 <= messageBytes(message), message.type);
      assert(frameItems(message) >= 1);
    }
  });

  test("the ids in a message are those of the link, not those a peer might claim", () => {
    const [message] = decodeFrame(encodeFrame([heartbeat(1, "someone else", "nobody")]), from, to);
    assertEquals(message, heartbeat(1));
  });

  test("cut short, flipped or random bytes are refused or read, never worse", () => {
    const random = seededRandom(printedSeed("codec fuzz"));
    for (let round = 0; round < 3_000; round++) {
      const frame = encodeFrame(
        Array.from({ length: 1 + Math.floor(random() * 4) }, () => randomMessage(random)),
      );
      decodesOrRefuses(frame.subarray(0, Math.floor(random() * frame.byteLength)));
      const at = Math.floor(random() * frame.byteLength);
      frame[at] = (frame[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      decodesOrRefuses(frame);
      const noise = Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256));
      noise[0] = 1;
      decodesOrRefuses(noise);
    }
  });

  test("a message cut anywhere is refused", () => {
    const frame = encodeFrame([append(7, 100)]);
    for (let length = 2; length < frame.byteLength; length++) {
      assertThrows(() => decodeFrame(frame.subarray(0, length), from, to), MalformedBytes);
    }
  });

  const malformed: readonly (readonly [what: string, bytes: readonly number[]])[] = [
    ["nothing at all", []],
    ["another format", [2]],
    ["an unknown message", [1, 99]],
    ["two billion entries in twenty bytes", [
      1,
      3,
      1,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      255,
      255,
      255,
      255,
      7,
    ]],
    ["a gigantic command", [1, 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 15]],
    ["a billion names", [1, 20, 0, 0, 0, 255, 255, 255, 255, 3]],
    ["unknown flags", [1, 1, 1, 4, 0, 0]],
    ["an unknown reason", [1, 17, 1, 9]],
    ["a time that is none", [1, 16, 1, 0, 0, 0, 0, 0, 0, 248, 127, 0]],
  ];
  test.each([...malformed])("refuses %s", (_what, bytes) => {
    assertThrows(() => decodeFrame(Uint8Array.from(bytes), from, to), MalformedBytes);
  });

  const configuration = (value: unknown): Partial<Entry> => ({
    type: "configuration",
    data: new TextEncoder().encode(JSON.stringify(value)),
  });
  const illFormed:
    readonly (readonly [what: string, message: Partial<AppendEntries>, entry: Partial<Entry>])[] = [
      ["an entry of a later term than its leader's", {}, { term: 2 }],
      ["an entry of an earlier term than the one before it", { term: 5, prevLogTerm: 4 }, { term: 3 }],
      ["a previous entry of a later term", { prevLogTerm: 2 }, {}],
      ["bytes for a configuration", {}, { type: "configuration", data: Uint8Array.of(1, 2, 3) }],
      ["broken UTF-8 for a configuration", {}, { type: "configuration", data: Uint8Array.of(0xff) }],
      ["a list for a configuration", {}, configuration([1, 2, 3])],
      ["a configuration of numbers", {}, configuration({ voters: [1], outgoing: [], learners: [] })],
      ["a configuration without voters", {}, configuration({ voters: [], outgoing: [], learners: [] })],
    ];
  test.each([...illFormed])("refuses %s", (_what, changes, change) => {
    const message = append(7, 1);
    assert(message.type === "AppendEntries");
    const entries = message.entries.map((entry) => ({ ...entry, ...change }));
    const frame = encodeFrame([{ ...message, ...changes, entries }]);
    assertThrows(() => decodeFrame(frame, from, to), MalformedBytes);
  });

  test("a frame of very many tiny messages is refused", () => {
    const frame = new Uint8Array(1 + 2 * (maxFrameItems + 1)).fill(18);
    frame[0] = 1;
    assertThrows(() => decodeFrame(frame, from, to), MalformedBytes, "more than");
  });

  test("entries with a gap are a broken invariant, not a message", () => {
    const message = append(7, 1);
    assert(message.type === "AppendEntries");
    assertThrows(() => encodeFrame([{ ...message, prevLogIndex: 3 }]), RangeError);
  });
});
