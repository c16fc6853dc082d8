// Commands that the state machine does not know: refused before they are in any log; in a log they stop whoever applies them.
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { bank } from "../../examples/bank.ts";
import { deposit, nothingWaits, started } from "./bank.ts";

test("it is refused before it is in any log, whoever proposes it", async () => {
  const world = await started();
  const leader = await world.elected();
  const others = world.followers();
  const [first] = others;
  assert(first !== undefined);
  for (const text of [`{"type":"of a later version"}`, "no transaction at all", "null", ""]) {
    const command = new TextEncoder().encode(text);
    for (const node of [leader, ...others]) {
      const outcome = await world.settle(node.replica.propose(command, { timeoutMs: 1000 }));
      assertEquals(outcome, { type: "refused", reason: "unknown_command" });
    }
    // A follower of a later version, or a broken one, has not asked its own.
    const answers = leader.sent.length;
    first.say(leader.id, { type: "Forward", requestId: 77, command, timeoutMs: 1000 });
    await world.until(
      "the leader answers",
      () =>
        leader.sent.slice(answers).some((message) =>
          message.type === "ForwardReply" && message.requestId === 77 &&
          message.outcome.type === "refused" &&
          message.outcome.reason === "unknown_command"
        ),
    );
  }
  assertEquals((await world.settle(deposit(leader, 1))).type, "done");
  nothingWaits(world);
});

test("behind a machine that accepts everything it stops every node that applies it, instead of being skipped", async () => {
  const world = await started({
    machine: (store) => {
      const { apply, query } = bank(store);
      return { apply, query };
    },
  });
  const leader = await world.elected();
  const command = new TextEncoder().encode(`{"type":"of a later version"}`);
  const outcome = await world.settle(leader.replica.propose(command, { timeoutMs: 1000 }));
  assertEquals(outcome.type, "unknown");
  assert(leader.fatal?.includes("unknown transaction"));
});
