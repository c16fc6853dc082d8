// A bank of three replicas in virtual time (examples/bank.ts), for the tests of the replica.
import { assertEquals } from "@std/assert";
import { bank, type BankAnswer, type BankQuery, encodeTransaction } from "../../examples/bank.ts";
import type { Outcome } from "../../lib/replica/api.ts";
import { type TestNode, World, type WorldOptions } from "./world.ts";

export type Node = TestNode<BankQuery, BankAnswer>;
export type Bank = World<BankQuery, BankAnswer>;

export async function started(options: Partial<WorldOptions<BankQuery, BankAnswer>> = {}): Promise<Bank> {
  const world: Bank = new World({ ids: ["n1", "n2", "n3"], machine: bank, ...options });
  world.startAll();
  await world.elected();
  return world;
}

export function deposit(node: Node, cents: number, timeoutMs = 2000): Promise<Outcome> {
  return node.replica.propose(encodeTransaction({ type: "deposit", to: "ann", cents }), { timeoutMs });
}

export function balance(node: Node): number {
  return node.replica.query({ type: "balance", account: "ann" });
}

export function follower(world: Bank): Node {
  const node = world.followers()[0];
  if (node === undefined) throw new Error("there is no follower");
  return node;
}

/** Somebody else who leads, whatever the old one believes. */
export async function successor(world: Bank, old: Node): Promise<Node> {
  const others = [...world.nodes.values()].filter((node) => node !== old);
  const leads = (node: Node) => node.running && node.replica.status().role === "leader";
  await world.until("another leads", () => others.some(leads));
  const found = others.find(leads);
  if (found === undefined) throw new Error("nobody else leads");
  return found;
}

export function nothingWaits(world: Bank): void {
  for (const node of world.nodes.values()) {
    if (!node.running) continue;
    const { queuedProposals, queuedBytes, pendingReads } = node.replica.status();
    assertEquals([queuedProposals, queuedBytes, pendingReads], [0, 0, 0], node.id);
    assertEquals(node.fatal, null);
  }
}
