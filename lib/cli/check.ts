// `coracle check FILE`: is a recorded history linearizable? Reads the file line by line, shows how far it is, and
// explains a failure as text and as a page.
import { Command } from "commander";
import * as v from "valibot";
import {
  type AnyModel,
  anyModel,
  appendListModel,
  bankModel,
  checkHistory,
  counterModel,
  explain,
  type Explanation,
  explanationHtml,
  explanationText,
  HistoryBuilder,
  kvModel,
  type Operation,
  type Progress,
  type Verdict,
} from "../simulation/linearizability/mod.ts";
import { Failure, wrongUsage } from "./failure.ts";
import { print, printJson } from "./output.ts";
import {
  declare,
  oneOf,
  type Settings,
  text,
  toggle,
  type Values,
  valuesOf,
  wholeNumber,
} from "./settings.ts";

const settings = {
  model: {
    flags: "--model <name>",
    variables: [],
    help: "kv, counter, list or bank (default: kv)",
    schema: oneOf(["kv", "counter", "list", "bank"], "kv"),
  },
  accounts: {
    flags: "--accounts <json>",
    variables: [],
    help: 'bank: balances at the beginning, as {"a": 100, "b": 100}',
    schema: text(),
  },
  html: {
    flags: "--html <file>",
    variables: [],
    help: "also write the explanation of a failure as a page",
    schema: text(),
  },
  json: { flags: "--json", variables: [], help: "the verdict as JSON", schema: toggle() },
  maxSteps: {
    flags: "--max-steps <number>",
    variables: [],
    help: "give up on a key after so many steps (default: 200000000)",
    schema: wholeNumber(200_000_000, 1, 1e14),
  },
} satisfies Settings;

type Options = Values<typeof settings>;
type AnyOperation = Operation<unknown, unknown>;
type AnyVerdict = Verdict<unknown, unknown>;

const name = v.union([v.string(), v.pipe(v.number(), v.safeInteger())], "must be text or a whole number");
const time = v.pipe(
  v.number("must be a whole number"),
  v.integer("must be a whole number"),
  // Nanoseconds since 1970 are: rounded, they would put operations into another order.
  v.safeInteger("is beyond 2^53 and cannot be told exactly: use microseconds, or offsets from the beginning"),
);

// Strict: with a misspelt field passed over, another history would be judged.
const operationSchema = v.strictObject({
  id: v.optional(name),
  client: name,
  key: v.optional(name),
  input: v.unknown(),
  output: v.optional(v.unknown()),
  outcome: v.optional(v.picklist(["ok", "failed", "unknown"], "must be ok, failed or unknown")),
  call: time,
  return: v.optional(v.nullable(time)),
});

const eventFields = {
  type: v.picklist(["invoke", "ok", "fail", "info"], "must be invoke, ok, fail or info"),
  client: v.optional(name),
  process: v.optional(v.union([name, v.null()])),
  key: v.optional(name),
};

const eventSchema = v.pipe(
  v.strictObject({ ...eventFields, input: v.optional(v.unknown()), output: v.optional(v.unknown()) }),
  v.transform(({ process, client, ...event }) => ({ ...event, client: client ?? process ?? "" })),
);

/** Theirs carry more than is needed here: index, time, error, node. */
const jepsenSchema = v.pipe(
  v.object({ ...eventFields, f: v.nullable(v.string()), value: v.optional(v.unknown()) }),
  v.transform(({ process, client, f, ...event }) => ({
    ...event,
    client: client ?? process ?? "",
    f: f ?? undefined,
  })),
);

/** Ends with 0 if linearizable, 1 if not or undecided, 2 for a file or flags that cannot be meant. */
export function checkCommand(): Command {
  const command = new Command("check")
    .description("judge a recorded history: is it linearizable?")
    .argument("<file>", "JSON lines, an operation or an event on each (docs/checker.md); - reads stdin")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "coracle: ")) });
  return declare(command, settings)
    .action((file: string) => check(file, valuesOf(settings, command, {})));
}

async function check(file: string, options: Options): Promise<void> {
  const { maxSteps, html, json } = options;
  const model = modelNamed(options);
  const history = await readHistory(file, model);
  const line = new ProgressLine();
  const verdict = checkHistory(model, history, {
    maxSteps,
    onProgress: (progress) => line.checking(progress),
  });
  line.clear();
  const explanations = verdict.type === "not_linearizable" ? explain(model, verdict) : [];
  if (html !== null && explanations.length > 0) {
    await writePage(html, explanationHtml(file === "-" ? "History" : file, explanations));
  }
  if (json) await printJson(summary(verdict, explanations));
  else await print(report(verdict, explanations));
  if (verdict.type === "linearizable") return;
  const many = verdict.partitions.filter(({ type }) => type === verdict.type).length;
  throw new Failure(
    verdict.type === "not_linearizable"
      ? `${file} is not linearizable (${many} of ${verdict.partitions.length} keys)`
      : `${file} is not decided (${many} of ${verdict.partitions.length} keys): raise --max-steps or record shorter histories`,
  );
}

function modelNamed({ model, accounts }: Options): AnyModel {
  if (accounts !== null && model !== "bank") throw wrongUsage("--accounts goes with --model bank");
  switch (model) {
    case "kv":
      return anyModel(kvModel());
    case "counter":
      return anyModel(counterModel());
    case "list":
      return anyModel(appendListModel());
    case "bank":
      return anyModel(bankModel(balances(accounts)));
  }
}

function balances(text: string | null): Record<string, number> {
  if (text === null) throw wrongUsage("--model bank needs --accounts, the balances at the beginning");
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), v.record(v.string(), time)), text);
  if (!parsed.success) throw wrongUsage('--accounts must be JSON like {"a": 100, "b": 100}');
  return parsed.output;
}

async function readHistory(path: string, model: AnyModel): Promise<AnyOperation[]> {
  const builder = new HistoryBuilder(model);
  const progress = new ProgressLine();
  let number = 0;
  for await (const text of linesOf(path)) {
    number++;
    if ((number & 0xfff) === 0) progress.reading(number);
    if (text.trim() === "") continue;
    const fault = addLine(builder, text, number);
    if (fault !== null) throw wrongUsage(`${path}, line ${number}: ${fault}`);
  }
  progress.clear();
  const finished = builder.finish();
  if (!finished.ok) throw wrongUsage(`${path}, line ${finished.fault.line}: ${finished.fault.reason}`);
  if (finished.history.length === 0) throw wrongUsage(`${path} holds no operations`);
  return finished.history;
}

async function* linesOf(path: string): AsyncGenerator<string> {
  const stream = path === "-" ? Bun.stdin.stream() : Bun.file(path).stream();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  try {
    for await (const chunk of stream) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    rest += decoder.decode();
  } catch (error) {
    if (error instanceof TypeError) throw wrongUsage(`${path} is not UTF-8 text`);
    throw wrongUsage(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (rest !== "") yield rest;
}

/** Null, or what is wrong with the line. */
function addLine(
  builder: HistoryBuilder<unknown, unknown, unknown>,
  text: string,
  line: number,
): string | null {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (typeof record !== "object" || record === null || Array.isArray(record)) return "must be a JSON object";
  if ("type" in record) {
    // Jepsen's own log of the faults it makes stands among the clients' events.
    if ("process" in record && record.process === "nemesis") return null;
    const parsed = v.safeParse("f" in record ? jepsenSchema : eventSchema, record);
    if (!parsed.success) return issueText(parsed.issues, "an event");
    if (parsed.output.client === "") return "an event needs client (or process)";
    return builder.event(parsed.output, line)?.reason ?? null;
  }
  const parsed = v.safeParse(operationSchema, record);
  if (!parsed.success) return issueText(parsed.issues, "an operation");
  return builder.operation(parsed.output, line)?.reason ?? null;
}

function issueText(
  [issue]: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
  what: string,
): string {
  const field = v.getDotPath(issue);
  if (issue.type === "strict_object" && issue.expected === "never") return `${what} has no ${field}`;
  if (issue.received === "undefined") return `${field ?? "a field"} is missing`;
  return field === null ? issue.message : `${field} ${issue.message}`;
}

async function writePage(path: string, page: string): Promise<void> {
  try {
    await Bun.write(path, page);
  } catch (error) {
    throw new Failure(`${path} cannot be written: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function summary(verdict: AnyVerdict, explanations: readonly Explanation[]): unknown {
  const keysOf = (type: string) =>
    verdict.partitions.filter((part) => part.type === type).map(({ key }) => key);
  return {
    verdict: verdict.type,
    operations: verdict.operations,
    keys: verdict.partitions.length,
    steps: verdict.steps,
    notLinearizable: keysOf("not_linearizable"),
    undecided: keysOf("undecided"),
    explanations,
  };
}

function report(verdict: AnyVerdict, explanations: readonly Explanation[]): string {
  const counts =
    `${verdict.operations} operations on ${verdict.partitions.length} keys, ${verdict.steps} steps`;
  if (verdict.type === "linearizable") return `linearizable: ${counts}\n`;
  const bad = verdict.partitions.filter(({ type }) => type === "not_linearizable").length;
  const more = bad > explanations.length && explanations.length > 0
    ? `\n… and ${bad - explanations.length} more keys\n`
    : "";
  const title = verdict.type === "undecided" ? "undecided" : "not linearizable";
  return `${title}: ${counts}\n\n${explanations.map(explanationText).join("\n")}${more}`;
}

/** One line on a terminal, rewritten a few times a second; elsewhere nothing. */
class ProgressLine {
  #shownAt = performance.now();

  reading(lines: number): void {
    this.#show(`reading, line ${lines}`);
  }

  checking({ partitions, partitionsDone, operations, share }: Progress): void {
    const key = `${operations} operations, ${Math.floor(100 * share)} % in order`;
    this.#show(`checking key ${partitionsDone + 1} of ${partitions} (${key})`);
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  #show(text: string): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAt < 200) return;
    this.#shownAt = now;
    process.stderr.write(`\r\x1b[K${text}`);
  }
}
