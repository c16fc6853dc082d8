// The workload of the key-value store draws every kind of operation, and its oracle sees each kind go wrong.
import { describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  decodeCommand,
  encodeResult,
  type KvAnswer,
  type KvCommand,
  type KvQuery,
  type PageAnswer,
} from "../../lib/kv/mod.ts";
import type { StateMachineFactory } from "../../lib/replica/ports.ts";
import { kvWorkload, runWorld, seededRandom } from "../../lib/simulation/mod.ts";

setDefaultTimeout(60_000);

/** The name of what an operation asks of the store. */
function kindOf(command: KvCommand): string {
  return command.type === "deletePrefix"
    ? command.type
    : [command.type, ...command.conditions.map(({ type }) => type)].join(" if ");
}

test("every kind of operation and condition is drawn", () => {
  const client = kvWorkload().client("c");
  const random = seededRandom(1);
  const kinds = new Set<string>();
  for (let drawn = 0; drawn < 5000; drawn++) {
    const operation = client.next(random);
    const { action, key, input } = operation;
    if (action.type === "read") kinds.add(action.query.type);
    else kinds.add(kindOf(decodeCommand(action.command)));
    if (input.type === "put") client.learned(operation, { type: "written", revision: drawn + 1 });
    assert(key.startsWith("k"));
  }
  const conditional = [
    "put if absent",
    "put if exists",
    "put if revision",
    "put if value",
    "delete if revision",
  ];
  assertEquals([...kinds].sort(), ["delete", "deletePrefix", "get", "list", "put", ...conditional].sort());
});

type Machine = StateMachineFactory<KvQuery, KvAnswer>;

/** What a run with this in place of the machine shows; every replica is wrong in the same way. */
async function violationOf(change: (right: ReturnType<Machine>) => ReturnType<Machine>): Promise<string> {
  const workload = kvWorkload();
  const { violation } = await runWorld(
    { ...workload, machine: (store) => change(workload.machine(store)) },
    { seed: 1, nodes: 3, durationMs: 20_000, faults: [] },
  );
  return violation === null ? "" : `${violation.invariant}: ${violation.detail}`;
}

function withPages(change: (page: PageAnswer) => PageAnswer) {
  return (right: ReturnType<Machine>): ReturnType<Machine> => ({
    ...right,
    query: (query) => {
      const answer = right.query(query);
      return answer.type === "page" ? change(answer) : answer;
    },
  });
}

describe("seen", () => {
  test("nothing wrong", async () => {
    assertEquals(await violationOf((right) => right), "");
  });

  test("a list that leaves an item out", async () => {
    const text = await violationOf(withPages((page) => ({ ...page, items: page.items.slice(1) })));
    assertMatch(text, /^Reads: n\d: a list of k\d?\* at \d+ gave /);
  });

  test("a list that says there is no more", async () => {
    const text = await violationOf(withPages((page) => ({ ...page, next: null })));
    assertMatch(text, /^Reads: n\d: a list of .* next null, the log says /);
  });

  test("a prefix that is deleted but for what is said", async () => {
    const text = await violationOf((right) => ({
      ...right,
      apply: (applied) => {
        const result = right.apply(applied);
        const { type } = decodeCommand(applied.command);
        if (type !== "deletePrefix") return result;
        return encodeResult({ type: "delete", deleted: 17, revision: applied.index });
      },
    }));
    assertMatch(text, /^State Machine Safety: deletePrefix k\d? at \d+ answered .*"deleted":17/);
  });

  test("a condition on presence that is not looked at", async () => {
    const text = await violationOf((right) => ({
      ...right,
      apply: (applied) => {
        const command = decodeCommand(applied.command);
        if (command.type !== "put" || command.conditions[0]?.type !== "exists") return right.apply(applied);
        return encodeResult({
          ...{ type: "put", created: true, revision: applied.index },
          ...{ createRevision: applied.index, version: 1 },
        });
      },
    }));
    assertMatch(text, /^State Machine Safety: put k\d+ at \d+ answered .*"created":true/);
  });
});

test("some of what was refused is tried again under another name, at most three times", async () => {
  const commands = new Map<string, string[]>();
  const trace: string[] = [];
  const faults = [{ at: 3000, forMs: 2500, type: "partition", side: ["leader"] }] as const;
  const { violation } = await runWorld(kvWorkload(), {
    ...{ seed: 2, nodes: 3, durationMs: 12_000, faults },
    trace: (line) => trace.push(line),
  });
  assertEquals(violation, null);
  for (const line of trace) {
    const put = / (c\d+\.\d+) at n\d: k\d+ (\{"type":"put","value":"[^.]*\.\d+\\?"")/.exec(line);
    if (put?.[1] === undefined || put[2] === undefined) continue;
    commands.set(put[2], [...commands.get(put[2]) ?? [], put[1]]);
  }
  const again = [...commands.values()].filter((names) => names.length > 1);
  assert(again.length > 0, "nothing was tried again");
  for (const names of again) {
    assertEquals(new Set(names).size, names.length);
    assert(names.length <= 4);
  }
});
