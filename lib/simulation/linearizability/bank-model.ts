// A bank: transfers between accounts that must not be overdrawn, and reads of all balances at once. One state
// behind all keys, so nothing is split: an example of a state machine of one's own, with invariants across keys.
import { canonicalJson, isObject, optionalFlag, optionalInteger, strangeField } from "./json.ts";
import { type Decoded, type FileModel, IMPOSSIBLE } from "./model.ts";

export type Balances = { readonly [account: string]: number };

export type BankInput =
  | { readonly type: "transfer"; readonly from: string; readonly to: string; readonly amount: number }
  | { readonly type: "read" };

export type BankOutput =
  | { readonly type: "done" }
  /** Refused for want of money; nothing was changed. */
  | { readonly type: "refused" }
  | { readonly type: "balances"; readonly balances: Balances };

/** `initial` names every account with the balance it starts with. */
export function bankModel(initial: Balances): FileModel<Balances, BankInput, BankOutput> {
  return {
    name: "bank",
    partition: "whole",
    init: () => initial,
    step(state, input, output) {
      if (input.type === "read") {
        return output?.type === "balances" && keyOf(output.balances) === keyOf(state)
          ? { ok: true, state }
          : IMPOSSIBLE;
      }
      const { from, to, amount } = input;
      const source = state[from], target = state[to];
      const possible = source !== undefined && target !== undefined && source >= amount;
      if (output?.type === "refused") return possible ? IMPOSSIBLE : { ok: true, state };
      if (!possible || output?.type === "balances") return IMPOSSIBLE;
      if (from === to) return { ok: true, state };
      return { ok: true, state: { ...state, [from]: source - amount, [to]: target + amount } };
    },
    key: keyOf,
    readOnly: (input, output) => input.type === "read" || output?.type === "refused" || input.amount === 0,
    inputKey: (input) => JSON.stringify(input),
    describe(input, output) {
      if (input.type === "read") {
        return output?.type === "balances" ? `read → ${keyOf(output.balances)}` : "read";
      }
      const text = `transfer ${input.amount} from ${input.from} to ${input.to}`;
      return output?.type === "refused" ? `${text} → refused` : text;
    },
    describeState: keyOf,
    decode,
    encode: ({ type, ...rest }, output) => ({ input: { op: type, ...rest }, output: encodeOutput(output) }),
  };
}

function keyOf(balances: Balances): string {
  return Object.keys(balances).sort().map((account) => `${account}:${balances[account]}`).join(" ");
}

function encodeOutput(output: BankOutput | undefined): unknown {
  if (output === undefined) return undefined;
  return output.type === "balances" ? { value: output.balances } : { refused: output.type === "refused" };
}

function decode(input: unknown, output: unknown): Decoded<BankInput, BankOutput> {
  if (!isObject(input)) return { ok: false, reason: "input must be an object with an op" };
  if (output !== undefined && !isObject(output)) return { ok: false, reason: "output must be an object" };
  const isTransfer = input["op"] === "transfer";
  if (!isTransfer && input["op"] !== "read" && input["op"] !== "get") {
    return { ok: false, reason: `input.op must be transfer or read, not ${canonicalJson(input["op"])}` };
  }
  const strange = strangeField(input["op"], { input, output }, {
    input: isTransfer ? ["op", "from", "to", "amount"] : ["op"],
    output: isTransfer ? ["refused"] : ["value"],
  });
  if (strange !== null) return { ok: false, reason: strange };
  if (isTransfer) {
    const { from, to } = input;
    const amount = optionalInteger(input["amount"]);
    if (amount === "wrong" || amount === undefined || amount < 0 || from === undefined || to === undefined) {
      return { ok: false, reason: "a transfer needs from, to and amount (a whole number, at least 0)" };
    }
    const transfer = { type: "transfer" as const, from: String(from), to: String(to), amount };
    if (output === undefined) return { ok: true, input: transfer, output: undefined };
    const refused = optionalFlag(output["refused"]);
    if (refused === "wrong") return { ok: false, reason: "output.refused must be true or false" };
    return { ok: true, input: transfer, output: { type: refused === true ? "refused" : "done" } };
  }
  if (output === undefined) return { ok: true, input: { type: "read" }, output: undefined };
  const balances = decodeBalances(output["value"]);
  if (balances === undefined) {
    return { ok: false, reason: "the output of a read needs a value, {account: balance}" };
  }
  return { ok: true, input: { type: "read" }, output: { type: "balances", balances } };
}

/** Undefined unless it is an object of whole numbers. */
export function decodeBalances(value: unknown): Balances | undefined {
  if (!isObject(value)) return undefined;
  const balances: { [account: string]: number } = {};
  for (const [account, balance] of Object.entries(value)) {
    const amount = optionalInteger(balance);
    if (amount === undefined || amount === "wrong") return undefined;
    balances[account] = amount;
  }
  return balances;
}
