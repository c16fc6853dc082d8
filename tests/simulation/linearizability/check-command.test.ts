// `coracle check` as a user meets it: both file forms, exit codes, lines named, text, page and JSON.
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatHistory } from "../../../lib/simulation/linearizability/mod.ts";
import { modelOf, readHistory } from "./read-history.ts";

const folder = await mkdtemp(join(tmpdir(), "coracle-check-"));
afterAll(() => rm(folder, { recursive: true }));

async function check(lines: readonly unknown[] | string, ...flags: string[]) {
  const file = join(folder, `${crypto.randomUUID()}.jsonl`);
  await Bun.write(
    file,
    typeof lines === "string" ? lines : lines.map((line) => JSON.stringify(line)).join("\n"),
  );
  const command = [process.execPath, join(import.meta.dir, "run-check.ts"), file, ...flags];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, stdout, stderr };
}

const put = { client: "a", key: "x", input: { op: "put", value: "one" }, call: 0, return: 1 };
const staleRead = {
  client: "b",
  key: "x",
  input: { op: "get" },
  output: { value: null },
  call: 2,
  return: 3,
};

describe("verdicts", () => {
  test("linearizable ends with 0", async () => {
    const { code, stdout } = await check([put, { ...staleRead, output: { value: "one" } }]);
    assertEquals(code, 0);
    assertStringIncludes(stdout, "linearizable: 2 operations on 1 keys");
  });

  test("not linearizable ends with 1, drawn on stdout and as a page", async () => {
    const page = join(folder, "page.html");
    const { code, stdout, stderr } = await check([put, staleRead], "--html", page);
    assertEquals(code, 1);
    assertStringIncludes(stdout, '├─ put "one" ─┤');
    assertStringIncludes(stdout, "does not fit");
    assertStringIncludes(stderr, "is not linearizable (1 of 1 keys)");
    const html = await Bun.file(page).text();
    assertStringIncludes(html, "get → absent");
    assert(!/<script|src=|https?:/.test(html));
  });

  test("a page shows markup in values as text", async () => {
    const page = join(folder, "markup.html");
    await check([{ ...staleRead, output: { value: "<script>alert(1)</script>" } }], "--html", page);
    const html = await Bun.file(page).text();
    assertStringIncludes(html, "&lt;script&gt;");
    assert(!html.includes("<script"));
  });

  test("--json gives verdict and explanation", async () => {
    const { code, stdout } = await check([put, staleRead], "--json");
    assertEquals(code, 1);
    const { verdict, notLinearizable, explanations } = JSON.parse(stdout);
    assertEquals([verdict, notLinearizable, explanations.length], ["not_linearizable", ["x"], 1]);
  });

  test("other models", async () => {
    const add = { client: "a", input: { op: "add", by: 2 }, call: 0, return: 1 };
    const get = { client: "a", input: { op: "get" }, output: { value: 2 }, call: 2, return: 3 };
    assertEquals((await check([add, get], "--model", "counter")).code, 0);
    assertEquals((await check([add, { ...get, output: { value: 4 } }], "--model", "counter")).code, 1);
    const read = {
      client: "a",
      input: { op: "read" },
      output: { value: { a: 1, b: 1 } },
      call: 2,
      return: 3,
    };
    assertEquals((await check([read], "--model", "bank", "--accounts", '{"a":1,"b":1}')).code, 0);
  });
});

describe("events", () => {
  const events = [
    { process: 0, type: "invoke", f: "write", value: ["x", 1] },
    { process: 1, type: "invoke", f: "cas", value: ["x", [1, 2]] },
    { process: "nemesis", type: "info", f: "partition", value: null },
    { process: 0, type: "ok", f: "write", value: ["x", 1] },
    { process: 1, type: "info", f: "cas", value: ["x", [1, 2]] },
    { process: 2, type: "invoke", f: "read", value: ["x", null] },
  ];

  test("as Jepsen writes them", async () => {
    assertEquals((await check([...events, { process: 2, type: "ok", f: "read", value: ["x", 2] }])).code, 0);
    assertEquals((await check([...events, { process: 2, type: "ok", f: "read", value: ["x", 3] }])).code, 1);
    assertEquals((await check(events)).code, 0);
  });

  test("Jepsen's fields that say nothing here are passed over", async () => {
    const extra = { index: 4, time: 1764144000123456789, error: ["timeout"], node: "n1" };
    assertEquals((await check(events.map((event) => ({ ...event, ...extra })))).code, 0);
    const transfer = {
      type: "invoke",
      process: 1,
      f: "transfer",
      value: { from: "a", to: "b", amount: 1, note: "" },
    };
    assertEquals((await check([transfer], "--model", "bank", "--accounts", '{"a":1,"b":1}')).code, 0);
  });

  test("in our own spelling", async () => {
    const invoke = { type: "invoke", client: "a", key: "x", input: { op: "put", value: 1 } };
    const read = { type: "invoke", client: "a", key: "x", input: { op: "get" } };
    const answer = { type: "ok", client: "a", output: { value: 1 } };
    assertEquals((await check([invoke, { type: "ok", client: "a" }, read, answer])).code, 0);
    assertEquals((await check([invoke, { type: "fail", client: "a" }, read, answer])).code, 1);
  });
});

describe("wrong input ends with 2 and names the line", () => {
  const cases: [string, readonly unknown[] | string, string][] = [
    ["not JSON", '{"client":', "line 1: not JSON"],
    ["a field of the wrong type", [put, { ...put, call: "soon" }], "line 2: call must be a whole number"],
    ["a missing field", [{ client: "a", call: 1 }], "line 1: input is missing"],
    ["an unknown operation", [put, { ...put, input: { op: "push" } }], "line 2: input.op must be get, put"],
    ["a return before the call", [{ ...put, call: 5 }], "line 1: it returned (1) before it was called (5)"],
    [
      "an id used twice",
      [{ ...put, id: "1" }, { ...put, id: "1" }],
      "line 2: the id 1 was used before, on line 1",
    ],
    [
      "an end without a beginning",
      [{ type: "ok", process: 3 }],
      "line 1: ok of client 3, which has invoked nothing",
    ],
    [
      "two operations of a client at once",
      [{ type: "invoke", process: 3, f: "read" }, { type: "invoke", process: 3, f: "read" }],
      "line 2: client 3 invokes again",
    ],
    ["both forms", [put, { type: "invoke", process: 3, f: "read" }], "line 2: operations and events"],
    ["nothing", "", "holds no operations"],
    ["a misspelt field", [{ ...put, outcom: "unknown" }], "line 1: an operation has no outcom"],
    [
      "a misspelt condition",
      [{ ...put, input: { op: "put", value: 1, ifrevision: 9 } }],
      "line 1: the input of a put has no ifrevision, only op, value, ifRevision, ifAbsent",
    ],
    [
      "a condition on what has none",
      [{ ...staleRead, input: { op: "get", ifRevision: 9 } }],
      "line 1: the input of a get has no ifRevision, only op",
    ],
    ["a condition that is none", [{ ...put, input: { ...put.input, ifAbsent: 1 } }], "ifAbsent must be true"],
    [
      "a misspelt answer",
      [{ ...put, output: { revison: 3 } }],
      "line 1: the output of a put has no revison, only revision, created, mismatch",
    ],
    [
      "an answer that is none",
      [{ ...put, output: { mismatch: 1 } }],
      "output.mismatch must be true or false",
    ],
    [
      "a misspelt field of an event",
      [{ type: "invoke", client: "a", key: "x", inptu: {} }],
      "an event has no inptu",
    ],
    [
      "times in nanoseconds since 1970",
      '{"client":"a","input":{"op":"get"},"call":1764144000123456789,"return":null}',
      "line 1: call is beyond 2^53 and cannot be told exactly: use microseconds, or offsets from the beginning",
    ],
  ];
  for (const [what, lines, message] of cases) {
    test(what, async () => {
      const { code, stderr } = await check(lines);
      assertStringIncludes(stderr, message);
      assertEquals(code, 2);
    });
  }

  const others: [string, string, unknown, unknown, string][] = [
    ["counter", "counter", { op: "add", by: 1, From: 2 }, {}, "the input of an add has no From, only op, by"],
    [
      "counter's answer",
      "counter",
      { op: "get" },
      { value: 1, v: 2 },
      "the output of a get has no v, only value",
    ],
    [
      "list",
      "list",
      { op: "append", value: 1, at: 0 },
      {},
      "the input of an append has no at, only op, value",
    ],
    [
      "list's answer",
      "list",
      { op: "read" },
      { values: [] },
      "the output of a read has no values, only value",
    ],
    [
      "bank",
      "bank",
      { op: "transfer", from: "a", to: "b", amount: 1, ammount: 2 },
      {},
      "the input of a transfer has no ammount, only op, from, to, amount",
    ],
    [
      "bank's answer",
      "bank",
      { op: "transfer", from: "a", to: "b", amount: 1 },
      { refuse: true },
      "has no refuse",
    ],
  ];
  for (const [what, model, input, output, message] of others) {
    test(`a misspelt field of the model ${what}`, async () => {
      const accounts = model === "bank" ? ["--accounts", '{"a":1,"b":1}'] : [];
      const { code, stderr } = await check([{ ...put, input, output }], "--model", model, ...accounts);
      assertStringIncludes(stderr, message);
      assertEquals(code, 2);
    });
  }

  test("a model that there is not", async () => {
    assertEquals((await check([put], "--model", "queue")).code, 2);
  });
});

describe("formatHistory", () => {
  for (
    const [name, text] of [
      [
        "kv",
        "a 0-1 put 1 | b 2-3 cas 1 2 | b 2-? cas 1 3 | c 3-4 put! 5 | d 5-6 get=2 | e 7-8 cas! 1 2 | e 9-10 delete",
      ],
      ["counter", "a 0-1 add 2 | b 2-? add 3 | c 4-5 get=2"],
      ["list", "a 0-1 append 2 | b 2-? append 3 | c 4-5 read=2"],
    ] as const
  ) {
    test(`${name}: what is written is read back`, async () => {
      const model = modelOf(name);
      const written = formatHistory(model, readHistory(model, text));
      const { code, stdout } = await check(written, "--model", name);
      assertEquals([code, stdout.split(",")[0]], [
        0,
        `linearizable: ${text.split("|").length} operations on 1 keys`,
      ]);
    });
  }
});
