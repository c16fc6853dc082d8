// `coracle maelstrom` under a router of our own: what each operation answers, and histories of many clients on a network
// that loses, delays, reorders and partitions, with a node that is killed.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { checkHistory, explain, explanationText, kvModel } from "../../lib/simulation/linearizability/mod.ts";
import { eventually } from "../support/eventually.ts";
import { printedSeed, seededRandom } from "../support/random.ts";
import { runLinKv } from "./lin-kv.ts";
import { type Body, Router, type RouterOptions } from "./maelstrom-router.ts";

async function withRouter(options: RouterOptions, run: (router: Router) => Promise<void>): Promise<void> {
  const router = new Router(options);
  try {
    await router.start();
    await run(router);
    const codes = await router.stop();
    assertEquals(codes.filter((code) => code !== 0), [], "nodes end with their stdin");
    assertEquals(router.stray, [], "nothing but messages on stdout");
  } finally {
    router.close();
  }
}

/** A write that every one of these nodes must be able to carry out again. */
async function writable(router: Router, nodes: readonly string[]): Promise<void> {
  for (const node of nodes) {
    await eventually(
      async () =>
        (await router.request("c0", node, { type: "write", key: "probe", value: node }))?.["type"] ===
          "write_ok",
      { deadlineMs: 15_000, what: `${node} carries out a write` },
    );
  }
}

describe("maelstrom", () => {
  test("every operation on every node, with its error codes", async () => {
    const nodes = ["n0", "n1", "n2"];
    await withRouter({ nodes, random: seededRandom(1) }, async (router) => {
      await writable(router, nodes);
      const ask = (node: string, body: Body) => router.request("c7", node, body);
      const outcome = async (node: string, body: Body) => {
        const answer = await ask(node, body);
        return answer?.["type"] === "error" ? answer["code"] : answer?.["value"] ?? answer?.["type"];
      };
      for (const node of nodes) {
        const key = { of: [node, null], a: 1 };
        const same = { a: 1, of: [node, null] };
        assertEquals(await outcome(node, { type: "read", key }), 20);
        assertEquals(await outcome(node, { type: "cas", key, from: 1, to: 2 }), 20);
        assertEquals(await outcome(node, { type: "write", key, value: { x: 1, y: [2] } }), "write_ok");
        assertEquals(await outcome(node, { type: "read", key: same }), { x: 1, y: [2] });
        assertEquals(await outcome(node, { type: "cas", key: same, from: 1, to: 2 }), 22);
        assertEquals(await outcome(node, { type: "cas", key, from: { y: [2], x: 1 }, to: 2 }), "cas_ok");
        for (const other of nodes) assertEquals(await outcome(other, { type: "read", key }), 2);
        const created = { type: "cas", key: `${node}!`, from: 1, to: 2, create_if_not_exists: true };
        assertEquals(await outcome(node, created), "cas_ok");
        assertEquals(await outcome(node, created), 22);
        assertEquals(await outcome(node, { ...created, from: 2, to: 3 }), "cas_ok");
        assertEquals(await outcome(node, { type: "append", key, value: 1 }), 10);
        assertEquals(await outcome(node, { type: "write", key }), 12);
        // Names that every JavaScript object has.
        for (const type of ["__proto__", "constructor", "toString", "hasOwnProperty", ["read"], null]) {
          assertEquals(await outcome(node, { type, key, value: 1 }), 10);
        }
        assertEquals(
          await outcome(node, { type: "write", key: "__proto__", value: { constructor: 1 } }),
          "write_ok",
        );
        assertEquals(await outcome(node, { type: "read", key: "__proto__" }), { constructor: 1 });
      }
    });
  });

  test("a write without a majority is never called failed", async () => {
    const nodes = ["n0", "n1", "n2"];
    await withRouter({ nodes, random: seededRandom(2) }, async (router) => {
      await writable(router, nodes);
      router.partition([["n0"], ["n1"], ["n2"]]);
      const answers = await Promise.all(
        nodes.map((node) => router.request("c1", node, { type: "write", key: 1, value: node }, 3000)),
      );
      for (const answer of answers) {
        assertEquals(answer?.["type"], "error");
        assert([0, 11, 13].includes(Number(answer?.["code"])), `code ${answer?.["code"]}`);
      }
      // The leader had it in its log: that may still happen.
      assert(answers.some((answer) => answer?.["code"] !== 11), "somebody must not know");
      router.heal();
      await writable(router, nodes);
    });
  });

  test("histories under loss, delay, partitions and a crash are linearizable", async () => {
    const random = seededRandom(printedSeed("maelstrom"));
    const nodes = ["n0", "n1", "n2", "n3", "n4"];
    await withRouter({ nodes, random, loss: 0.05, delayMs: 15 }, async (router) => {
      await writable(router, nodes);
      let faultsOver = false;
      const working = runLinKv({
        ...{ router, random, nodes, goOn: () => !faultsOver, pauseMs: 60 },
        keys: [0, 1, "two", { three: [3] }],
      });
      for (let round = 0; round < 4; round++) {
        const shuffled = nodes.map((id) => ({ id, at: random() })).sort((a, b) => a.at - b.at).map(({ id }) =>
          id
        );
        const cut = 1 + Math.floor(random() * 3);
        router.partition([shuffled.slice(0, cut), shuffled.slice(cut)]);
        await Bun.sleep(900);
        router.heal();
        if (round === 2) router.kill(nodes[Math.floor(random() * nodes.length)] ?? "");
        await Bun.sleep(700);
      }
      faultsOver = true;
      const history = await working;
      await writable(router, router.living);

      const done = history.filter(({ outcome }) => outcome.type === "ok").length;
      const unknown = history.filter(({ outcome }) => outcome.type === "unknown").length;
      console.log(
        `lin-kv: ${history.length} operations, ${done} done, ${unknown} unknown, ${router.messages} messages`,
      );
      assert(done > 100, `only ${done} operations were done`);
      const model = kvModel();
      const verdict = checkHistory(model, history);
      const why = explain(model, verdict).map((each) => explanationText(each)).join("\n");
      assertEquals(verdict.type, "linearizable", why);
    });
  }, 60_000);
});
