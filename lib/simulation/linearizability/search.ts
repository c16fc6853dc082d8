// Is there one order of these operations that the model accepts? Wing & Gong's search with the memo of Lowe
// ("Testing for linearizability", 2017), and three rules that keep unknown outcomes and reads from multiplying it.
import { EntryList } from "./entry-list.ts";
import type { Operation } from "./history.ts";
import { IMPOSSIBLE, type Model, type StepResult } from "./model.ts";
import type { SearchLimits, SearchResult } from "./search-result.ts";
import { type KindsOfUnknown, kindsOfUnknown } from "./unknown-kinds.ts";
import { OrderedSet, Visited } from "./visited.ts";

/** The order by which the search got furthest is kept up to this length. */
const SHORT = 500;

/**
 * The rules, and why each keeps the answer:
 * 1. *Unknown operations are optional and tried last.* The search ends when every done operation is in order.
 * 2. *A read that fits is taken at once*, with no alternative: it changes nothing, so any order that has it later
 *    stays right with it here.
 * 3. *An unknown operation w is used only right before something that needs it.* After w, an operation o is skipped if
 *    o is also possible without w and leads to the same state (then w was in vain), or, o being done, if o
 *    first and then w leads to the same state (w can wait: it never ends). The situation skipped over is one
 *    that the search reaches through o before w, with no more unknown operations used.
 * Equal unknown operations are interchangeable and used in the order of their calls; and a situation is dropped if one
 * with the same done operations in order, the same state and no further unknown ones used was there before (visited.ts).
 */
export function search<State, Input, Output>(
  model: Model<State, Input, Output>,
  operations: readonly Operation<Input, Output>[],
  limits: SearchLimits,
): SearchResult<Input, Output> {
  return new Search(model, operations, limits).run();
}

type Frame<State> = {
  /** "read": taken by rule 2, there is no alternative to come back to. */
  readonly type: "done" | "read" | "unknown";
  /** Index of the done operation, or of the kind of unknown ones. */
  readonly index: number;
  readonly state: State;
  readonly stateKey: string | number;
  readonly used: Int32Array;
  /** Where the situation's own search goes on after this choice. */
  readonly nextEntry: number;
  readonly nextKind: number;
};

class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  readonly #limits: SearchLimits;
  readonly #repeat: boolean;
  readonly #done: readonly Operation<Input, Output>[];
  readonly #reads: readonly boolean[];
  readonly #kinds: KindsOfUnknown<Input, Output>;
  /** How many of each kind of unknown operation are used. */
  readonly #usedOfKind: Int32Array;
  readonly #list: EntryList;
  readonly #inOrder: OrderedSet;
  readonly #visited = new Visited();
  readonly #stateNumbers = new Map<string | number, number>();
  readonly #stack: Frame<State>[] = [];
  #state: State;
  #stateKey: string | number;
  #used: Int32Array;
  #remaining: number;
  #nextEntry = -1;
  #nextKind = 0;
  #steps = 0;
  #furthest = -1;
  #blocked = -1;
  #longest: { order: readonly Operation<Input, Output>[]; state: State } | undefined;

  constructor(
    model: Model<State, Input, Output>,
    operations: readonly Operation<Input, Output>[],
    limits: SearchLimits,
  ) {
    this.#model = model;
    this.#limits = limits;
    this.#repeat = limits.repeatUnknown === true;
    this.#done = operations.filter((operation) => operation.outcome.type === "ok")
      .sort((a, b) => a.call - b.call);
    this.#reads = this.#done.map(({ input, outcome }) =>
      model.readOnly(input, outcome.type === "ok" ? outcome.output : undefined)
    );
    this.#kinds = kindsOfUnknown(model, operations);
    this.#usedOfKind = new Int32Array(this.#kinds.length);
    const unknown = this.#kinds.flatMap((kind) => kind.operations);
    this.#list = new EntryList(this.#done, unknown);
    this.#inOrder = new OrderedSet(this.#done.length);
    this.#used = new Int32Array((unknown.length + 31) >>> 5);
    this.#remaining = this.#done.length;
    this.#state = model.init();
    this.#stateKey = model.key(this.#state);
  }

  run(): SearchResult<Input, Output> {
    let arrived = true;
    for (;;) {
      if (arrived) {
        if (this.#remaining === 0) return { type: "linearizable", order: this.#order(), steps: this.#steps };
        this.#noteProgress();
        if (this.#takeRead()) continue;
        if (this.#enter()) this.#startChoosing();
        else if (!this.#retreat()) return this.#failure();
      }
      if (this.#steps > this.#limits.maxSteps || this.#visited.size > this.#limits.maxSituations) {
        return { type: "undecided", steps: this.#steps, blocked: this.#done[this.#blocked]! };
      }
      arrived = this.#chooseDone() || this.#chooseUnknown();
      if (!arrived && !this.#retreat()) return this.#failure();
    }
  }

  #step(state: State, input: Input, output: Output | undefined): StepResult<State> {
    this.#steps++;
    if ((this.#steps & 0x3ffff) === 0) {
      this.#limits.onProgress?.(this.#furthest / Math.max(1, this.#list.rank.length));
    }
    return this.#model.step(state, input, output);
  }

  #stepDone(state: State, index: number): StepResult<State> {
    const { input, outcome } = this.#done[index]!;
    return outcome.type === "ok" ? this.#step(state, input, outcome.output) : IMPOSSIBLE;
  }

  /** Rule 2. */
  #takeRead(): boolean {
    for (let entry = this.#list.first(); !EntryList.isReturn(entry); entry = this.#list.after(entry)) {
      const index = entry >>> 1;
      if (this.#reads[index] !== true) continue;
      const result = this.#stepDone(this.#state, index);
      // A read may teach what the state is (a revision nobody had seen): then it is a choice like any other.
      if (!result.ok || this.#model.key(result.state) !== this.#stateKey) continue;
      this.#pushDone("read", index, result.state, -1);
      return true;
    }
    return false;
  }

  #enter(): boolean {
    let number = this.#stateNumbers.get(this.#stateKey);
    if (number === undefined) {
      number = this.#stateNumbers.size;
      this.#stateNumbers.set(this.#stateKey, number);
    }
    return this.#visited.enter(this.#inOrder.window(), number, this.#used);
  }

  #startChoosing(): void {
    this.#nextEntry = this.#list.first();
    this.#nextKind = 0;
  }

  /** Puts the next done operation that fits in order; false when none is left in this situation. */
  #chooseDone(): boolean {
    const last = this.#stack.at(-1);
    let entry = this.#nextEntry;
    while (entry >= 0 && !EntryList.isReturn(entry)) {
      const index = entry >>> 1;
      const after = this.#list.after(entry);
      const result = this.#stepDone(this.#state, index);
      if (result.ok && !(last?.type === "unknown" && this.#needless(last, index, result.state))) {
        this.#pushDone("done", index, result.state, after);
        return true;
      }
      entry = after;
    }
    this.#nextEntry = -1;
    return false;
  }

  /** Rule 3: is done operation `index`, leading to `state` after the unknown one of `last`, as well placed before it? */
  #needless(last: Frame<State>, index: number, state: State): boolean {
    const without = this.#stepDone(last.state, index);
    if (!without.ok) return false;
    const key = this.#model.key(state);
    if (this.#model.key(without.state) === key) return true;
    const swapped = this.#step(without.state, this.#kinds[last.index]!.input, undefined);
    return swapped.ok && this.#model.key(swapped.state) === key;
  }

  /** Lets the next unknown operation that is of use have happened; false when none is left in this situation. */
  #chooseUnknown(): boolean {
    if (this.#kinds.length === 0) return false;
    const firstReturn = this.#list.firstReturn();
    const bound = firstReturn < 0 ? Infinity : this.#list.rank[firstReturn]!;
    const last = this.#stack.at(-1);
    for (let kind = this.#nextKind; kind < this.#kinds.length && this.#begun(kind, bound); kind++) {
      if (!this.#available(kind, bound)) continue;
      const { input, overwrites } = this.#kinds[kind]!;
      const result = this.#step(this.#state, input, undefined);
      if (!result.ok) continue;
      const key = this.#model.key(result.state);
      if (key === this.#stateKey) continue;
      if (last?.type === "unknown" && (overwrites || this.#inVain(last.state, kind, key))) continue;
      if (!this.#useful(kind, result.state, bound)) continue;
      this.#pushUnknown(kind, result.state, key);
      return true;
    }
    this.#nextKind = this.#kinds.length;
    return false;
  }

  /** Kinds are in the order of their first calls: after one not begun by now, none is. */
  #begun(kind: number, bound: number): boolean {
    if ((kind & 15) === 0) this.#steps++;
    return this.#list.unknownRank[this.#kinds[kind]!.offset]! < bound;
  }

  /** The calls of a kind are in order of time, so only its next one matters. */
  #available(kind: number, bound: number): boolean {
    const { operations, offset } = this.#kinds[kind]!;
    const used = this.#repeat ? 0 : this.#usedOfKind[kind]!;
    return used < operations.length && this.#list.unknownRank[offset + used]! < bound;
  }

  /** Does unknown `kind` lead from `before` straight to the state with this key? */
  #inVain(before: State, kind: number, key: string | number): boolean {
    const direct = this.#step(before, this.#kinds[kind]!.input, undefined);
    return direct.ok && this.#model.key(direct.state) === key;
  }

  /** Would rule 3 leave anything to do after unknown `kind` led to `state`? Saves keeping what ends at once. */
  #useful(kind: number, state: State, bound: number): boolean {
    const frame = { state: this.#state, index: kind } as Frame<State>;
    for (
      let entry = this.#list.first();
      entry >= 0 && !EntryList.isReturn(entry);
      entry = this.#list.after(entry)
    ) {
      const result = this.#stepDone(state, entry >>> 1);
      if (result.ok && !this.#needless(frame, entry >>> 1, result.state)) return true;
    }
    for (let next = 0; next < this.#kinds.length && this.#begun(next, bound); next++) {
      const { input, overwrites } = this.#kinds[next]!;
      if (overwrites || !this.#available(next, bound)) continue;
      if (
        !this.#repeat && next === kind && this.#usedOfKind[kind]! + 1 >= this.#kinds[kind]!.operations.length
      ) continue;
      const result = this.#step(state, input, undefined);
      if (!result.ok) continue;
      const key = this.#model.key(result.state);
      if (key !== this.#model.key(state) && !this.#inVain(this.#state, next, key)) return true;
    }
    return false;
  }

  #pushDone(type: "done" | "read", index: number, state: State, nextEntry: number): void {
    this.#push(type, index, nextEntry, 0);
    this.#list.lift(index);
    this.#inOrder.add(index);
    this.#remaining--;
    this.#state = state;
    this.#stateKey = this.#model.key(state);
  }

  #pushUnknown(kind: number, state: State, stateKey: string | number): void {
    this.#push("unknown", kind, -1, kind + 1);
    this.#state = state;
    this.#stateKey = stateKey;
    if (this.#repeat) return;
    const bit = this.#kinds[kind]!.offset + this.#usedOfKind[kind]!;
    this.#usedOfKind[kind]!++;
    this.#used = this.#used.slice();
    this.#used[bit >>> 5]! |= 1 << (bit & 31);
  }

  #push(type: Frame<State>["type"], index: number, nextEntry: number, nextKind: number): void {
    const { state, stateKey, used } = { state: this.#state, stateKey: this.#stateKey, used: this.#used };
    this.#stack.push({ type, index, state, stateKey, used, nextEntry, nextKind });
  }

  /** Back to the last situation with a choice left; false when there is none. */
  #retreat(): boolean {
    for (let frame = this.#stack.pop(); frame !== undefined; frame = this.#stack.pop()) {
      this.#state = frame.state;
      this.#stateKey = frame.stateKey;
      this.#used = frame.used;
      if (frame.type === "unknown") {
        if (!this.#repeat) this.#usedOfKind[frame.index]!--;
      } else {
        this.#list.unlift(frame.index);
        this.#inOrder.delete(frame.index);
        this.#remaining++;
      }
      if (frame.type === "read") continue;
      this.#nextEntry = frame.nextEntry;
      this.#nextKind = frame.nextKind;
      return true;
    }
    return false;
  }

  /** Remembers which return the search got stuck before, and in short histories by which order it got there. */
  #noteProgress(): void {
    const entry = this.#list.firstReturn();
    const rank = this.#list.rank[entry]!;
    if (rank < this.#furthest) return;
    if (rank > this.#furthest) {
      this.#furthest = rank;
      this.#blocked = entry >>> 1;
      this.#longest = undefined;
    }
    const depth = this.#stack.length;
    if (this.#repeat || depth > SHORT || depth < (this.#longest?.order.length ?? 0)) return;
    this.#longest = { order: this.#order(), state: this.#state };
  }

  #order(): readonly Operation<Input, Output>[] {
    const counts = new Int32Array(this.#kinds.length);
    return this.#stack.flatMap(({ type, index }) =>
      type === "unknown" ? this.#kinds[index]!.operations[counts[index]!++] ?? [] : this.#done[index]!
    );
  }

  #failure(): SearchResult<Input, Output> {
    return {
      type: "not_linearizable",
      steps: this.#steps,
      deadEnd: {
        order: this.#longest?.order ?? null,
        state: this.#longest === undefined ? "" : this.#model.describeState(this.#longest.state),
        blocked: this.#done[this.#blocked]!,
      },
    };
  }
}
