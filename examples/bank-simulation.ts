// The bank in the deterministic world: clients move money while replicas crash, links break and disks fail, and every answer
// is checked against one bank that does one thing at a time. All of it comes from the library, as for any machine of one's own.
//
//   bun examples/bank-simulation.ts [seed]
import { linearizability, simulation, type StateMachineFactory } from "../lib/mod.ts";
import {
  bank,
  type BankAnswer,
  type BankQuery,
  encodeTransaction,
  type Receipt,
  receiptOf,
  type Transaction,
} from "./bank.ts";

/** What a client does, and what it is told: a receipt, or for a query the cents. */
export type BankInput = Transaction | BankQuery;
export type BankOutput = Receipt | number;

/** Cents by account; what is not there has 0. */
type Accounts = Readonly<Record<string, number>>;

/** The bank as one sequential program: which answer is right where, and what it leaves behind. */
const bankModel: linearizability.Model<Accounts, BankInput, BankOutput> = {
  name: "bank",
  // A transfer concerns two accounts: they cannot be checked apart.
  partition: "whole",
  init: () => ({}),
  step(accounts, input, output) {
    switch (input.type) {
      case "deposit":
        return moved(accounts, { [input.to]: input.cents }, input.to, output);
      case "transfer": {
        const { from, to, cents } = input;
        if ((accounts[from] ?? 0) >= cents) {
          return moved(accounts, from === to ? {} : { [from]: -cents, [to]: cents }, to, output);
        }
        return isRefusal(output) ? { ok: true, state: accounts } : linearizability.IMPOSSIBLE;
      }
      case "balance":
        return answered(accounts, accounts[input.account] ?? 0, output);
      case "total":
        return answered(accounts, Object.values(accounts).reduce((sum, cents) => sum + cents, 0), output);
    }
  },
  key: (accounts) => JSON.stringify(Object.entries(accounts).sort(([a], [b]) => (a < b ? -1 : 1))),
  readOnly: (input, output) => input.type === "balance" || input.type === "total" || isRefusal(output),
  inputKey: (input) => JSON.stringify(input),
  describe: (input, output) => {
    const answer = output === undefined
      ? ""
      : ` → ${typeof output === "number" ? output : receiptText(output)}`;
    const { type, ...what } = input;
    return `${type} ${Object.values(what).join(" ")}${answer}`;
  },
  describeState: (accounts) => JSON.stringify(accounts),
};

/** After the changes, if the receipt says what `paid` then has. An unknown output (undefined) says nothing. */
function moved(
  accounts: Accounts,
  changes: Accounts,
  paid: string,
  output: BankOutput | undefined,
): linearizability.StepResult<Accounts> {
  const after = { ...accounts };
  for (const [account, cents] of Object.entries(changes)) after[account] = (after[account] ?? 0) + cents;
  const right = output === undefined ||
    (typeof output === "object" && output.ok && output.balance === (after[paid] ?? 0));
  return right ? { ok: true, state: after } : linearizability.IMPOSSIBLE;
}

function answered(
  accounts: Accounts,
  cents: number,
  output: BankOutput | undefined,
): linearizability.StepResult<Accounts> {
  return output === cents ? { ok: true, state: accounts } : linearizability.IMPOSSIBLE;
}

function isRefusal(output: BankOutput | undefined): boolean {
  return typeof output === "object" && !output.ok;
}

function receiptText(receipt: Receipt): string {
  return receipt.ok ? `has ${receipt.balance}` : receipt.reason;
}

/** Four people with little money, so that some transfers are refused. */
export function bankWorkload(
  machine: StateMachineFactory<BankQuery, BankAnswer> = bank,
): simulation.Workload<BankQuery, BankAnswer, Accounts, BankInput, BankOutput> {
  const people = ["ann", "bob", "cy", "dee"];
  return {
    name: "bank",
    machine,
    model: bankModel,
    client: () => ({
      next: (random) => {
        const chance = random.next();
        if (chance < 0.3) return query({ type: "balance", account: random.pick(people) });
        if (chance < 0.4) return query({ type: "total" });
        const cents = random.integer(1, 100);
        const to = random.pick(people);
        if (chance < 0.6) return transaction({ type: "deposit", to, cents });
        return transaction({ type: "transfer", from: random.pick(people), to, cents });
      },
      // These clients draw what comes next whatever they were told.
      learned: () => {},
    }),
    outputOfResult: (_operation, result) => receiptOf(result),
    outputOfAnswer: (_operation, answer) => answer,
  };
}

type Operation = simulation.WorkloadOperation<BankQuery, BankInput>;

function query(input: BankQuery): Operation {
  return { key: "bank", input, action: { type: "read", query: input } };
}

function transaction(input: Transaction): Operation {
  return { key: "bank", input, action: { type: "write", command: encodeTransaction(input) } };
}

if (import.meta.main) {
  const first = Number(process.argv[2] ?? Math.floor(Math.random() * 1e9));
  const report = await simulation.simulate({
    workload: bankWorkload(),
    seeds: Array.from({ length: 5 }, (_, at) => first + at),
    run: { nodes: 3, durationMs: 20_000 },
    onRun: (result) => console.log(simulation.describeRun(result)),
  });
  for (const { shrunk } of report.failures) {
    const { options, violation, explanation } = shrunk;
    console.error(
      `seed ${options.seed}: ${violation?.invariant}: ${violation?.detail}\n${explanation ?? ""}`,
    );
    process.exitCode = 1;
  }
}
