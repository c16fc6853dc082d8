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
  /** How many operations there are on this key, and how many of them cannot be put in any order together. */
  readonly outOf: number;
  readonly together: number;
  /** The blocked one and its neighbours, in the order of their calls; mostly all that cannot be ordered, and `tooLate`. */
  readonly bars: readonly Bar[];
  /** How many of them are not drawn, before the first bar and after the last. */
  readonly earlier: number;
  readonly later: number;
  /** See minimize.ts. */
  readonly fromAnyState: boolean;
  readonly unhelpful: number;
  /**
   * The longest order found, the state after it, and the operation that does not fit. Null: it is too long to tell, or uses
   * too much that is not drawn; the state is then the one after the longest order of everything ("": not known either).
   */
  readonly order: readonly string[] | null;
  readonly state: string;
  readonly blocked: string;
  readonly tooLate: string | null;
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
  const { operations: together, deadEnd, tooLate: late } = minimal;
  const inOrder = (late === null ? [...together] : [...together, late]).sort((a, b) => a.call - b.call);
  const begin = firstDrawn(inOrder.findIndex(({ id }) => id === deadEnd.blocked.id), inOrder.length);
  const drawn = inOrder.slice(begin, begin + MOST_BARS);
  const name = (operation: Operation<Input, Output>) => `${operation.id} ${describe(model, operation)}`;
  return {
    model: model.name,
    key: partition.key,
    outOf: partition.operations.length,
    together: together.length,
    bars: drawn.map((operation) => ({
      id: operation.id,
      client: operation.client,
      label: describe(model, operation),
      call: operation.call,
      return: operation.outcome.type === "unknown" ? null : returnTime(operation),
      blocked: operation.id === deadEnd.blocked.id,
    })),
    earlier: begin,
    later: inOrder.length - begin - drawn.length,
    fromAnyState: minimal.fromAnyState,
    unhelpful: minimal.unhelpful,
    order: deadEnd.order?.map(name) ?? null,
    state: deadEnd.order === null ? partition.deadEnd.state : deadEnd.state,
    blocked: name(deadEnd.blocked),
    tooLate: late === null ? null : name(late),
    suspects: minimal.suspects.map(name),
  };
}

/** More are not drawn; so many of them may come after the blocked one. */
const MOST_BARS = 40;
const MOST_AFTER = 5;

function firstDrawn(blocked: number, length: number): number {
  return Math.max(0, Math.min(blocked + MOST_AFTER + 1, length) - MOST_BARS);
}

function describe<State, Input, Output>(
  model: Model<State, Input, Output>,
  { input, outcome }: Operation<Input, Output>,
) {
  const text = model.describe(input, outcome.type === "ok" ? outcome.output : undefined);
  return outcome.type === "unknown" ? `${text} → ?` : text;
}

/** How many operations cannot be ordered, and drawn beside what. */
export function summary({ together, outOf, model, fromAnyState }: Explanation): string {
  const before = fromAnyState ? ", whatever came before them" : "";
  return `${together} of ${outOf} operations cannot be put in any order${before} (model ${model})`;
}

/** The sentences under a drawing. */
export function reasons(explanation: Explanation): string[] {
  const { blocked, unhelpful, suspects, bars, tooLate } = explanation;
  const sentences = [whereItEnds(explanation)];
  if (tooLate !== null) {
    sentences.push(
      `${tooLate} was called only after ${blocked} had returned; nothing before would make that possible.`,
    );
  }
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

function whereItEnds({ order, state, blocked, fromAnyState }: Explanation): string {
  if (order === null) {
    const end = state === "" ? "" : `; the longest of all operations ends in the state ${state}`;
    return `No order gets as far as ${blocked}${end}.`;
  }
  if (order.length === 0) {
    const where = fromAnyState
      ? "Whatever came before"
      : `Nothing can come first: in the initial state (${state})`;
    return `${where}, ${blocked} is not possible, and nothing that could come before it makes it so.`;
  }
  const found = fromAnyState ? "Whatever came before, the longest order found" : "The longest order found";
  return `${found}: ${lastOf(order)}. The state is then ${state}, where ${blocked} is not possible, ` +
    `and nothing that could still come before it makes it so. No order gets further.`;
}

/** How many operations of an order are named in a sentence. */
const MOST_NAMED = 8;

function lastOf(order: readonly string[]): string {
  if (order.length <= MOST_NAMED) return order.join(", ");
  const named = order.slice(1 - MOST_NAMED);
  return `${order.length - named.length} operations, then ${named.join(", ")}`;
}

/** Wider drawings are left to the HTML page. */
const MOST_COLUMNS = 200;

/** Text for a terminal. */
export function explanationText(explanation: Explanation): string {
  const { bars, key, earlier, later } = explanation;
  const where = key === "" ? "" : `key ${JSON.stringify(key)}: `;
  const lines = [`${where}${summary(explanation)}`, ""];
  const drawing = timeline(bars);
  if (drawing !== null) lines.push(...drawing, "");
  const cells = bars.map((bar) => [
    bar.blocked ? ">" : " ",
    bar.id,
    bar.client,
    `${bar.call} … ${bar.return ?? "?"}`,
    bar.label,
  ]);
  if (earlier > 0) lines.push(`  … ${earlier} earlier`);
  lines.push(...table(cells));
  if (later > 0) lines.push(`  … ${later} later`);
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

/** A line for each operation, time going right; null where it would be too wide to help. */
function timeline(bars: readonly Bar[]): string[] | null {
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
