// Messages between replicas as JSON: what goes in comes out, what is malformed does not come in.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { canonicalJson, parseObject } from "../../lib/adapters/json.ts";
import { decodeWire, encodeWire, isWire, type Wire } from "../../lib/adapters/wire.ts";
import type { PeerMessage } from "../../lib/replica/peer-messages.ts";

const core = { from: "0000", to: "0001", term: 7 };
const bytes = new Uint8Array([0, 1, 127, 128, 255]);

const messages: readonly PeerMessage[] = [
  {
    ...core,
    type: "RequestVote",
    preVote: true,
    lastLogIndex: 3,
    lastLogTerm: 2,
    transfer: false,
  },
  { ...core, type: "RequestVoteReply", preVote: false, granted: true },
  {
    ...core,
    type: "AppendEntries",
    prevLogIndex: 3,
    prevLogTerm: 2,
    leaderCommit: 3,
    round: 9,
    echo: 8,
    confirmedAgeMs: 1.5,
    withholdMs: 500,
    entries: [
      { index: 4, term: 7, time: 12, type: "noop", data: new Uint8Array(0) },
      { index: 5, term: 7, time: 13, type: "command", data: bytes },
    ],
  },
  {
    ...core,
    type: "AppendEntriesReply",
    success: false,
    matchIndex: 0,
    prevLogIndex: 3,
    hintIndex: 1,
    hintTerm: 1,
    round: 9,
  },
  { ...core, type: "TimeoutNow" },
  { type: "Forward", requestId: 1, command: bytes, timeoutMs: 900 },
  { type: "ForwardReply", requestId: 1, outcome: { type: "appended", index: 5, term: 7 } },
  { type: "ForwardReply", requestId: 2, outcome: { type: "refused", reason: "no_leader" } },
  { type: "ReadIndex", requestId: 3 },
  { type: "ReadIndexReply", requestId: 3, index: null },
];

function carried(wire: Wire | null): Wire {
  const object = parseObject(JSON.stringify(wire));
  if (object === null || !isWire(object)) throw new Error(`not a message: ${JSON.stringify(wire)}`);
  return object;
}

describe("wire", () => {
  test("every message comes out as it went in", () => {
    for (const message of messages) {
      assertEquals(decodeWire("0000", "0001", carried(encodeWire(message))), message);
    }
  });

  test("without any one of its fields, or with another type of value in it, a message is none", () => {
    for (const message of messages) {
      const wire = carried(encodeWire(message));
      for (const field of Object.keys(wire).filter((name) => name !== "type")) {
        const { [field]: _gone, ...rest } = wire;
        assertEquals(decodeWire("0000", "0001", { ...rest, type: wire.type }), null, `${wire.type}.${field}`);
        const bent = { ...wire, [field]: { not: "this" }, type: wire.type };
        assertEquals(decodeWire("0000", "0001", bent), null, `${wire.type}.${field}`);
      }
    }
  });

  test("what belongs to changing clusters does not travel", () => {
    assertEquals(encodeWire({ type: "Gossip", payload: bytes }), null);
    for (const type of ["Gossip", "read", "toString", "constructor", "hello"]) {
      assertEquals(isWire({ type }), false);
    }
  });

  test("JSON values are equal exactly when their canonical texts are", () => {
    const one = JSON.parse('{"b": [1.0, {"y": 1, "x": null}], "a": "\\u0041", "__proto__": 2}');
    const same = JSON.parse('{"__proto__": 2, "a": "A", "b": [1, {"x": null, "y": 1}]}');
    assertEquals(canonicalJson(one), canonicalJson(same));
    assertEquals(canonicalJson(one), '{"__proto__":2,"a":"A","b":[1,{"x":null,"y":1}]}');
    assertEquals(canonicalJson([1, "1"]) === canonicalJson(["1", 1]), false);
  });
});
