// The ledger: what the cluster committed, index by index, as the first node that applied it saw it. Everybody else must
// agree with it for ever (Raft figure 3, State Machine Safety), and acknowledged writes must stand in it.
import { crc32 } from "../bytes/mod.ts";
import type { Applied } from "../replica/api.ts";

export type LedgerEntry = {
  readonly index: number;
  readonly term: number;
  readonly time: number;
  readonly type: Applied["type"];
  readonly command: Uint8Array;
  readonly commandCrc: number;
  readonly resultCrc: number;
  readonly result: Uint8Array;
};

export class Ledger {
  /** entries[i] has index i + 1. */
  readonly entries: LedgerEntry[] = [];
  readonly #indexOf = new Map<string, number>();
  readonly #keyOf: (command: Uint8Array) => string | null;

  /** `keyOf` gives the name of the operation in a command, where it has one, so that its fate can be looked up. */
  constructor(keyOf: (command: Uint8Array) => string | null) {
    this.#keyOf = keyOf;
  }

  get top(): number {
    return this.entries.length;
  }

  at(index: number): LedgerEntry | undefined {
    return this.entries[index - 1];
  }

  /** Where the operation of this name was committed; undefined = nowhere so far. */
  indexOf(operation: string): number | undefined {
    return this.#indexOf.get(operation);
  }

  /** An acknowledged write stands here, at its place and nowhere else: null when it does, else the complaint. */
  acknowledged(operation: string, index: number, term: number): string | null {
    const committed = this.indexOf(operation);
    if (committed !== index) return `${operation} at ${index}, committed at ${committed ?? "no place"}`;
    return this.at(index)?.term === term
      ? null
      : `${operation} at ${index}/${term}, committed in another term`;
  }

  /** What `node` applied: null when it agrees, else the complaint. `fresh` is told of what nobody had applied before. */
  applied(node: string, step: Applied, fresh: (entry: LedgerEntry) => string | null): string | null {
    const known = this.entries[step.index - 1];
    if (known !== undefined) return disagreement(node, step, known);
    if (step.index !== this.top + 1) {
      return `${node} applied ${step.index} before anybody applied ${this.top + 1}`;
    }
    const previous = this.entries[this.top - 1];
    if (previous !== undefined && (step.term < previous.term || step.time < previous.time)) {
      return `${node} applied ${step.index}: term or log time falls (${previous.term}, ${previous.time}) → (${step.term}, ${step.time})`;
    }
    const entry: LedgerEntry = {
      index: step.index,
      term: step.term,
      time: step.time,
      type: step.type,
      command: step.command,
      commandCrc: crc32(step.command),
      resultCrc: crc32(step.result),
      result: step.result,
    };
    this.entries.push(entry);
    if (step.type === "command") {
      const operation = this.#keyOf(step.command);
      if (operation !== null) {
        const earlier = this.#indexOf.get(operation);
        if (earlier !== undefined) {
          return `operation ${operation} was committed twice, at ${earlier} and ${step.index}`;
        }
        this.#indexOf.set(operation, step.index);
      }
    }
    return fresh(entry);
  }
}

function disagreement(node: string, step: Applied, known: LedgerEntry): string | null {
  const at = `${node} applied ${step.index}`;
  if (step.term !== known.term) return `${at} in term ${step.term}, another applied it in term ${known.term}`;
  if (step.type !== known.type || step.time !== known.time) {
    return `${at} as ${step.type}, another as ${known.type}`;
  }
  if (step.command !== known.command && crc32(step.command) !== known.commandCrc) {
    return `${at}: another command`;
  }
  if (step.result !== known.result && crc32(step.result) !== known.resultCrc) return `${at}: another result`;
  return null;
}
