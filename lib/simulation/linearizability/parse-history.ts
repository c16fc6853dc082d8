// History files, a JSON object on each line, in one of two forms: an operation a line, or an event a line (invoke,
// then ok, fail or info, in the order in which they happened, as Jepsen and Maelstrom write them). Whether
// a line has the right fields is checked by who reads it (lib/cli/check.ts); here lines become a history.
import type { Operation, Outcome } from "./history.ts";
import { fromJepsen } from "./jepsen.ts";
import type { FileModel } from "./model.ts";

export type OperationRecord = {
  readonly id?: string | number | undefined;
  readonly client: string | number;
  readonly key?: string | number | undefined;
  readonly input: unknown;
  readonly output?: unknown;
  readonly outcome?: "ok" | "failed" | "unknown" | undefined;
  readonly call: number;
  readonly return?: number | null | undefined;
};

export type EventRecord = {
  readonly type: "invoke" | "ok" | "fail" | "info";
  readonly client: string | number;
  readonly key?: string | number | undefined;
  /** Our own spelling: `input` on invoke, `output` on ok. */
  readonly input?: unknown;
  readonly output?: unknown;
  /** Jepsen's: a function and its value, before and after. */
  readonly f?: string | undefined;
  readonly value?: unknown;
};

/** What is wrong with a history file, and where. */
export type Fault = { readonly line: number; readonly reason: string };

type Pending = {
  readonly id: string;
  readonly line: number;
  readonly call: number;
  readonly event: EventRecord;
};

/** Takes records in the order of their lines; each method returns null or what is wrong. */
export class HistoryBuilder<State, Input, Output> {
  readonly #model: FileModel<State, Input, Output>;
  readonly #operations: Operation<Input, Output>[] = [];
  readonly #pending = new Map<string, Pending>();
  readonly #ids = new Map<string, number>();
  #form: "operations" | "events" | undefined;

  constructor(model: FileModel<State, Input, Output>) {
    this.#model = model;
  }

  operation(record: OperationRecord, line: number): Fault | null {
    const mixed = this.#useForm("operations", line);
    if (mixed !== null) return mixed;
    const type = record.outcome ?? (record.return === null || record.return === undefined ? "unknown" : "ok");
    const end = record.return;
    if (type !== "unknown") {
      if (end === null || end === undefined) {
        return { line, reason: `an operation that is ${type} needs a return time` };
      }
      if (end < record.call) {
        return { line, reason: `it returned (${end}) before it was called (${record.call})` };
      }
    }
    const outcome = type === "unknown" ? { type } : { type, return: end ?? record.call };
    const { input, output, call } = record;
    return this.#add(record, String(record.id ?? `#${line}`), input, output, call, outcome, line);
  }

  event(event: EventRecord, line: number): Fault | null {
    const mixed = this.#useForm("events", line);
    if (mixed !== null) return mixed;
    const client = String(event.client);
    const pending = this.#pending.get(client);
    if (event.type === "invoke") {
      if (pending !== undefined) {
        return {
          line,
          reason: `client ${client} invokes again, but its operation of line ${pending.line} has not ended`,
        };
      }
      this.#pending.set(client, { id: `#${line}`, line, call: line, event });
      return null;
    }
    if (pending === undefined) {
      return { line, reason: `${event.type} of client ${client}, which has invoked nothing` };
    }
    this.#pending.delete(client);
    return this.#complete(pending, event, line);
  }

  /** The history; operations whose end is missing have unknown outcomes. */
  finish(): { ok: true; history: Operation<Input, Output>[] } | { ok: false; fault: Fault } {
    for (const pending of this.#pending.values()) {
      const fault = this.#complete(pending, { type: "info", client: pending.event.client }, pending.line);
      if (fault !== null) return { ok: false, fault };
    }
    this.#pending.clear();
    return { ok: true, history: this.#operations };
  }

  #useForm(form: "operations" | "events", line: number): Fault | null {
    this.#form ??= form;
    return this.#form === form
      ? null
      : { line, reason: `operations and events in one file; line 1 began with ${this.#form}` };
  }

  #complete({ id, line, call, event }: Pending, end: EventRecord, endLine: number): Fault | null {
    const outcome = end.type === "ok"
      ? { type: "ok" as const, return: endLine }
      : end.type === "fail"
      ? { type: "failed" as const, return: endLine }
      : { type: "unknown" as const };
    if (event.input !== undefined) {
      return this.#add(event, id, event.input, end.output ?? {}, call, outcome, line);
    }
    if (event.f === undefined) return { line, reason: "an invoke needs input, or f and value" };
    const translated = fromJepsen(event.f, event.value, end.value, event.key !== undefined);
    if (!translated.ok) return { line, reason: translated.reason };
    const key = event.key ?? translated.key;
    return this.#add(
      { client: event.client, key },
      id,
      translated.input,
      translated.output,
      call,
      outcome,
      line,
    );
  }

  #add(
    { client, key }: { readonly client: string | number; readonly key?: string | number | undefined },
    id: string,
    input: unknown,
    output: unknown,
    call: number,
    outcome: { readonly type: "ok" | "failed"; readonly return: number } | { readonly type: "unknown" },
    line: number,
  ): Fault | null {
    const earlier = this.#ids.get(id);
    if (earlier !== undefined) return { line, reason: `the id ${id} was used before, on line ${earlier}` };
    this.#ids.set(id, line);
    const decoded = this.#model.decode(input, outcome.type === "ok" ? output ?? {} : undefined);
    if (!decoded.ok) return { line, reason: decoded.reason };
    let known: Outcome<Output>;
    if (outcome.type !== "ok") {
      known = outcome.type === "unknown" ? outcome : { type: "failed", return: outcome.return };
    } else if (decoded.output === undefined) {
      return { line, reason: "an operation that is ok needs an output" };
    } else known = { type: "ok", output: decoded.output, return: outcome.return };
    this.#operations.push({
      id,
      client: String(client),
      key: String(key ?? ""),
      input: decoded.input,
      call,
      outcome: known,
    });
    return null;
  }
}
