// Why a history is not linearizable, for people: the few operations that cannot be ordered, drawn against time, and
// how far an order gets. html.ts draws the same for a browser.
import type { PartitionVerdict, Verdict } from "./checker.ts";
import { type Operation, returnTime } from "./history.ts";
import { minimize } from "./minimize.ts";
import type { Model } from "./model.ts";

/** One operation as it is shown. */
export type Bar = {
  readonly id: string;
  readonly client: string;
  readonly label: string;
  readonly call: number;
  /** Null: unknown, it may happen at any later time. */
  readonly return: number | null;
  /** The one that no order can take in. */
  readonly blocked: boolean;
};

export type Explanation = {
  readonly model: string;
  readonly key: string;
  /** How many operations there are on this key. */
  readonly outOf: number;
  readonly bars: readonly Bar[];
  /** See minimize.ts. */
  readonly unhelpful: number;
  /** The longest order found, the state after it, and the operation that does not fit. */
  readonly order: readonly string[];
  readonly state: string;
  readonly blocked: string;
  readonly suspects: readonly string[];
};

/** Of every partition that is not linearizable, at most `most` of them. */
export function explain<State, Input, Output>(
  model: Model<State, Input, Output>,
  verdict: Verdict<Input, Output>,
  most = 3,
): Explanation[] {
  return verdict.partitions
    .filter((partition) => partition.type === "not_linearizable")
    .slice(0, most)
    .map((partition) => explainPartition(model, partition));
}

function explainPartition<State, Input, Output>(
  model: Model<State, Input, Output>,
  partition: PartitionVerdict<Input, Output> & { type: "not_linearizable" },
): Explanation {
  const minimal = minimize(model, partition.operations, partition.deadEnd.blocked);
  const operations = minimal?.operations ?? [partition.deadEnd.blocked];
  const deadEnd = minimal?.deadEnd ?? partition.deadEnd;
  const name = (operation: Operation<Input, Output>) => `${operation.id} ${describe(model, operation)}`;
  return {
    model: model.name,
    key: partition.key,
    outOf: partition.operations.length,
    bars: operations.toSorted((a, b) => a.call - b.call).map((operation) => ({
      id: operation.id,
      client: operation.client,
      label: describe(model, operation),
      call: operation.call,
      return: operation.outcome.type === "unknown" ? null : returnTime(operation),
      blocked: operation.id === deadEnd.blocked.id,
    })),
    unhelpful: minimal?.unhelpful ?? 0,
    order: deadEnd.order.map(name),
    state: deadEnd.state,
    blocked: name(deadEnd.blocked),
    suspects: (minimal?.suspects ?? []).map(name),
  };
}

function describe<State, Input, Output>(
  model: Model<State, Input, Output>,
  { input, outcome }: Operation<Input, Output>,
) {
  const text = model.describe(input, outcome.type === "ok" ? outcome.output : undefined);
  return outcome.type === "unknown" ? `${text} → ?` : text;
}

/** The sentences under a drawing. */
export function reasons(explanation: Explanation): string[] {
  const { order, state, blocked, unhelpful, suspects, bars } = explanation;
  const sentences = [
    order.length === 0
      ? `Nothing can come first: in the initial state (${state}), ${blocked} is not possible, and nothing that could come before it makes it so.`
      : `The longest order found: ${
        lastOf(order)
      }. The state is then ${state}, where ${blocked} is not possible, ` +
        `and nothing that could still come before it makes it so. No order gets further.`,
  ];
  if (bars.some((bar) => bar.return === null)) {
    sentences.push(`"→ ?" marks what may have happened at any time after its call, or never: neither helps.`);
  }
  if (unhelpful === 1) {
    sentences.push("One more write on this key is not drawn: done or not done, it helps no order.");
  } else if (unhelpful > 1) {
    sentences.push(
      `${unhelpful} more writes on this key are not drawn: done or not done, they help no order.`,
    );
  }
  for (const suspect of suspects) {
    sentences.push(
      `${suspect} was reported failed (definitely not done). Had it happened all the same, everything would fit: it probably did.`,
    );
  }
  return sentences;
}

/** How many operations of an order are named in a sentence. */
const MOST_NAMED = 8;

function lastOf(order: readonly string[]): string {
  const named = order.slice(-MOST_NAMED).join(", ");
  return order.length > MOST_NAMED ? `${order.length - MOST_NAMED} operations, then ${named}` : named;
}

/** Wider drawings are left to the HTML page. */
const MOST_COLUMNS = 200;
const MOST_BARS = 40;

/** Text for a terminal. */
export function explanationText(explanation: Explanation): string {
  const { bars, key, outOf, model } = explanation;
  const where = key === "" ? "" : `key ${JSON.stringify(key)}: `;
  const lines = [
    `${where}${bars.length} of ${outOf} operations cannot be put in any order (model ${model})`,
    "",
  ];
  const drawing = timeline(bars);
  if (drawing !== null) lines.push(...drawing, "");
  const shown = bars.slice(0, MOST_BARS);
  const cells = shown.map((bar) => [
    bar.blocked ? ">" : " ",
    bar.id,
    bar.client,
    `${bar.call} … ${bar.return ?? "?"}`,
    bar.label,
  ]);
  lines.push(...table(cells));
  if (bars.length > shown.length) lines.push(`  … and ${bars.length - shown.length} more`);
  lines.push("", ...reasons(explanation).map((sentence) => `  ${sentence}`));
  return lines.join("\n") + "\n";
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length))
  );
  return rows.map((row) =>
    "  " + row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd()
  );
}

/** A line for each operation, time going right; null where it would be too wide or too long to help. */
function timeline(bars: readonly Bar[]): string[] | null {
  if (bars.length > MOST_BARS) return null;
  const columns = columnsOf(bars);
  const end = Math.max(...columns.values()) + 2;
  const margin = Math.max(...bars.map((bar) => bar.client.length));
  if (margin + end > MOST_COLUMNS) return null;
  return bars.map((bar, index) => {
    const from = columns.get(`call ${index}`) ?? 0;
    const to = columns.get(`return ${index}`) ?? end;
    const room = to - from - 1;
    const text = ` ${bar.label} `;
    const left = Math.max(0, Math.floor((room - text.length) / 2));
    const inside = bar.return === null
      ? "─" + text + "·".repeat(Math.max(0, room - text.length - 1))
      : "─".repeat(left) + text + "─".repeat(Math.max(0, room - text.length - left));
    const mark = bar.blocked ? "  ◀ does not fit" : "";
    return `  ${bar.client.padEnd(margin)}  ${" ".repeat(from)}├${inside}${
      bar.return === null ? "›" : "┤"
    }${mark}`;
  });
}

/** Columns in the order of the calls and returns, as far apart as the labels need. */
function columnsOf(bars: readonly Bar[]): Map<string, number> {
  const events = bars.flatMap((bar, index) => {
    const call = { time: bar.call, isReturn: false, index };
    return bar.return === null ? [call] : [call, { time: bar.return, isReturn: true, index }];
  }).sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn));
  const columns = new Map<string, number>();
  let column = -2;
  for (const { index, isReturn } of events) {
    column += 2;
    if (isReturn) {
      const from = columns.get(`call ${index}`) ?? 0;
      column = Math.max(column, from + (bars[index]?.label.length ?? 0) + 5);
    }
    columns.set(`${isReturn ? "return" : "call"} ${index}`, column);
  }
  return columns;
}
