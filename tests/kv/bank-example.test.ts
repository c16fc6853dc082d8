// The example of a state machine of one's own: examples/bank.ts.
import { assertEquals, assertThrows } from "@std/assert";
import { test } from "bun:test";
import { bank, encodeTransaction, type Receipt, receiptOf, type Transaction } from "../../examples/bank.ts";
import { memoryOrderedStore } from "../../lib/memory/mod.ts";
import { printedSeed, seededRandom } from "../support/random.ts";

function openBank() {
  const machine = bank(memoryOrderedStore());
  let index = 0;
  const apply = (command: Uint8Array) => machine.apply({ index: ++index, term: 1, time: 0, command });
  return {
    apply,
    run: (transaction: Transaction): Receipt => receiptOf(apply(encodeTransaction(transaction))),
    balance: (account: string) => machine.query({ type: "balance", account }),
    total: () => machine.query({ type: "total" }),
  };
}

test("money moves, and never more than there is", () => {
  const bank = openBank();
  assertEquals(bank.run({ type: "deposit", to: "ann", cents: 1000 }), { ok: true, balance: 1000 });
  assertEquals(bank.run({ type: "transfer", from: "ann", to: "bob", cents: 400 }), {
    ok: true,
    balance: 400,
  });
  const refused = bank.run({ type: "transfer", from: "ann", to: "bob", cents: 601 });
  assertEquals(refused, { ok: false, reason: "insufficient_funds" });
  assertEquals([bank.balance("ann"), bank.balance("bob"), bank.balance("cy")], [600, 400, 0]);
  assertEquals(bank.run({ type: "transfer", from: "ann", to: "ann", cents: 600 }), {
    ok: true,
    balance: 600,
  });
  assertEquals(bank.run({ type: "transfer", from: "ann", to: "bob", cents: 600 }), {
    ok: true,
    balance: 1000,
  });
  assertEquals(bank.total(), 1000);
});

test("amounts that are none are refused", () => {
  const bank = openBank();
  bank.run({ type: "deposit", to: "ann", cents: 1000 });
  for (const cents of [0, -1, 0.5, 2 ** 53]) {
    assertEquals(bank.run({ type: "deposit", to: "ann", cents }), { ok: false, reason: "invalid_amount" });
    assertEquals(bank.run({ type: "transfer", from: "ann", to: "bob", cents }), {
      ok: false,
      reason: "invalid_amount",
    });
  }
  const all = bank.run({ type: "deposit", to: "bob", cents: Number.MAX_SAFE_INTEGER });
  assertEquals(all, { ok: false, reason: "too_rich" });
  assertEquals([bank.balance("ann"), bank.total()], [1000, 1000]);
});

test("only transactions that it knows are accepted", () => {
  const accepts = (text: string) => bank(memoryOrderedStore()).accepts?.(new TextEncoder().encode(text));
  assertEquals(accepts('{"type":"deposit","to":"ann","cents":1}'), true);
  assertEquals(['{"type":"loan"}', "null", "{", ""].map(accepts), [false, false, false, false]);
});

test("an unknown transaction stops the bank", () => {
  assertThrows(() => openBank().apply(new TextEncoder().encode('{"type":"loan"}')), Error, "loan");
});

test("random transfers neither make nor lose a cent", () => {
  const random = seededRandom(printedSeed("bank"));
  const bank = openBank();
  const people = ["ann", "bob", "cy", "dee"];
  const anyone = () => people[Math.floor(random() * people.length)] ?? "ann";
  for (const to of people) bank.run({ type: "deposit", to, cents: 100 });
  for (let n = 0; n < 2000; n++) {
    bank.run({ type: "transfer", from: anyone(), to: anyone(), cents: 1 + Math.floor(random() * 120) });
    const balances = people.map(bank.balance);
    assertEquals(balances.reduce((sum, cents) => sum + cents, 0), 400);
    assertEquals(balances.every((cents) => cents >= 0), true);
  }
  assertEquals(bank.total(), 400);
});
