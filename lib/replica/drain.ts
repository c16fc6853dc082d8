// The drain (design §3): once a turn, everything that the core owes is sent, made durable in one transaction, promised,
// and applied. Transactions may complete later and several may be under way; their promises go out in order.
//
//   ready ─→ messages ─→ append ··· durable ─→ messagesAfterPersist ─→ persisted ─→ ready …
//     └────→ committed ─→ state machine ─→ waiters
import type { Message, Raft, Ready } from "../raft/mod.ts";
import type { Applier } from "./applied.ts";
import type { DurableLog } from "./durable-log.ts";
import type { Links, Scheduler } from "./ports.ts";

export type DrainOptions = {
  readonly raft: Raft;
  readonly durableLog: DurableLog;
  readonly links: Links;
  readonly applier: Applier;
  readonly scheduler: Scheduler;
  /** Monotonic ms, never falling. */
  readonly now: () => number;
  readonly applyMs: number;
  readonly maxOutstanding: number;
  /** Runs `task`; what it throws ends the replica. Not at all once the replica has ended. */
  readonly guard: (task: () => void) => void;
  readonly fail: (message: string) => void;
  /** Before the core is asked: the last chance to ask it for something that this drain is to carry. */
  readonly before: () => void;
  /** Everything that the core had to persist was given to the log. */
  readonly written: () => void;
  /** Role and leader, and reads confirmed. */
  readonly heard: (ready: Ready) => void;
  /** Nothing more is applied in this turn. */
  readonly after: () => void;
  readonly onFsync: (seconds: number) => void;
  readonly onApplied: (entries: number) => void;
};

export class Drain {
  readonly #options: DrainOptions;
  #scheduled = false;
  #running = false;
  /** Readies given to the log whose durability is not known yet. */
  #outstanding = 0;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** At the end of this turn; harmless when it is scheduled already. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.scheduler.defer(() => {
      this.#scheduled = false;
      this.#options.guard(() => this.#run());
    });
  }

  #run(): void {
    const { raft, now, applyMs, maxOutstanding, before, written, heard, after } = this.#options;
    const until = now() + applyMs;
    this.#running = true;
    before();
    while (this.#outstanding < maxOutstanding) {
      const ready = raft.ready();
      if (ready === null) {
        written();
        break;
      }
      for (const message of ready.messages) this.#send(message);
      this.#persist(ready);
      heard(ready);
      this.#apply(ready);
      // Heartbeats and clients want their turn too.
      if (now() >= until) {
        this.schedule();
        break;
      }
    }
    this.#running = false;
    after();
  }

  #persist(ready: Ready): void {
    const { durableLog, now, onFsync } = this.#options;
    const { number, hardState, entries, configurations } = ready;
    const persists = hardState !== null || entries.length > 0 || configurations !== null;
    if (!persists && this.#outstanding === 0) return this.#promise(ready);
    this.#outstanding++;
    const began = now();
    durableLog.append({ hardState, entries, configurations }, (error) => {
      this.#options.guard(() => {
        this.#outstanding--;
        if (error !== null) return this.#options.fail(`the log cannot be written: ${error.message}`);
        this.#promise(ready);
        if (persists) {
          onFsync((now() - began) / 1000);
          this.#options.raft.step({ type: "persisted", now: now(), number, last: durableLog.last() });
        }
        if (!this.#running) this.schedule();
      });
    });
  }

  #promise(ready: Ready): void {
    for (const message of ready.messagesAfterPersist) this.#send(message);
  }

  #apply({ committed }: Ready): void {
    if (committed.length === 0) return;
    this.#options.applier.apply(committed);
    this.#options.onApplied(committed.length);
  }

  /** A lost message is the core's business: it sends again what still matters. */
  #send(message: Message): void {
    const isData = message.type === "AppendEntries" && message.entries.length > 0;
    this.#options.links.send(message.to, message, isData ? "bulk" : "control");
  }
}
