// A state machine of one's own: a bank whose accounts never go below zero, on every replica the same. This is all that
// has to be written; the log, the votes, the disks and the network are Coracle's.
//
//   const outcome = await replica.propose(encodeTransaction({ type: "transfer", from: "ann", to: "bob", cents: 500 }), …)
//   if (outcome.type === "done") receiptOf(outcome.result)
import type { OrderedStore, StateMachineFactory } from "../lib/replica/ports.ts";

export type Transaction =
  | { readonly type: "deposit"; readonly to: string; readonly cents: number }
  | { readonly type: "transfer"; readonly from: string; readonly to: string; readonly cents: number };

export type Receipt =
  /** `balance` is what the account that was paid has now. */
  | { readonly ok: true; readonly balance: number }
  | { readonly ok: false; readonly reason: "invalid_amount" | "insufficient_funds" | "too_rich" };

export type BankQuery =
  | { readonly type: "balance"; readonly account: string }
  /** Of all accounts together. */
  | { readonly type: "total" };

/** In cents; an account that was never paid has 0. */
export type BankAnswer = number;

export const bank: StateMachineFactory<BankQuery, BankAnswer> = (store) => ({
  accepts: isTransaction,
  apply: ({ command }) => encode(carryOut(store, decode<Transaction>(command))),
  query: (query) => read(store, query.type === "balance" ? accountKey(query.account) : TOTAL),
});

export function encodeTransaction(transaction: Transaction): Uint8Array {
  return encode(transaction);
}

export function receiptOf(result: Uint8Array): Receipt {
  return decode<Receipt>(result);
}

/** Asked before anything is proposed: what is no transaction of this version gets into no log. */
function isTransaction(command: Uint8Array): boolean {
  try {
    const { type } = decode<Transaction>(command);
    return type === "deposit" || type === "transfer";
  } catch {
    return false;
  }
}

function carryOut(store: OrderedStore, transaction: Transaction): Receipt {
  switch (transaction.type) {
    case "deposit":
      return deposit(store, transaction.to, transaction.cents);
    case "transfer":
      return transfer(store, transaction.from, transaction.to, transaction.cents);
    default:
      // A newer version wrote this. To skip it would be to differ from the others for ever: the node must stop.
      throw new Error(`an unknown transaction: ${JSON.stringify(transaction)}`);
  }
}

// Both look before they write: what is refused has changed nothing.

function deposit(store: OrderedStore, to: string, cents: number): Receipt {
  if (!isAmount(cents)) return { ok: false, reason: "invalid_amount" };
  const sum = read(store, TOTAL) + cents;
  // Bounded for the bank as a whole, so that no account ever loses a cent to rounding.
  if (!Number.isSafeInteger(sum)) return { ok: false, reason: "too_rich" };
  const balance = read(store, accountKey(to)) + cents;
  write(store, TOTAL, sum);
  write(store, accountKey(to), balance);
  return { ok: true, balance };
}

function transfer(store: OrderedStore, from: string, to: string, cents: number): Receipt {
  if (!isAmount(cents)) return { ok: false, reason: "invalid_amount" };
  const left = read(store, accountKey(from)) - cents;
  if (left < 0) return { ok: false, reason: "insufficient_funds" };
  write(store, accountKey(from), left);
  // Read only now: somebody may pay himself.
  const balance = read(store, accountKey(to)) + cents;
  write(store, accountKey(to), balance);
  return { ok: true, balance };
}

function isAmount(cents: number): boolean {
  return Number.isSafeInteger(cents) && cents > 0;
}

const TOTAL = "total";

function accountKey(account: string): string {
  return `account/${account}`;
}

function read(store: OrderedStore, key: string): number {
  const stored = store.get(new TextEncoder().encode(key));
  return stored === null ? 0 : decode<number>(stored);
}

function write(store: OrderedStore, key: string, cents: number): void {
  store.put(new TextEncoder().encode(key), encode(cents));
}

function encode(value: Transaction | Receipt | number): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function decode<T>(bytes: Uint8Array): T {
  return JSON.parse(new TextDecoder().decode(bytes));
}
