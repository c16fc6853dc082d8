// What can go wrong: faults as plain data, so that a schedule can be drawn from a seed, written by hand as a scenario,
// and made smaller when it shows something.

/** A node by name ("n2"), or by what it is when the fault strikes: "leader", "follower", "any". */
export type Target = string;

type Lasting = {
  /** World time at which it strikes, ms. */
  readonly at: number;
  /** How long it lasts, ms; it may end early when the world heals. Some are over at once, and this says nothing. */
  readonly forMs: number;
};

export type Fault =
  & Lasting
  & (
    /** The nodes on one side lose all others; `oneWay`: only what they send is lost. */
    | { readonly type: "partition"; readonly side: readonly Target[]; readonly oneWay?: "out" | "in" }
    /** The link between two nodes goes away and comes back, again and again. */
    | { readonly type: "flap"; readonly a: Target; readonly b: Target; readonly periodMs: number }
    /** Messages between one side and all others take so much longer; `oneWay`: only those that it sends, or is sent. */
    | {
      readonly type: "lag";
      readonly side: readonly Target[];
      readonly oneWay?: "out" | "in";
      readonly delayMs: number;
    }
    /** Worse weather on every link. */
    | { readonly type: "storm"; readonly loss: number; readonly duplicate: number; readonly delayMs: number }
    /** The process dies, is started again after `forMs`. `power`: the machine lost its power. */
    | { readonly type: "crash"; readonly node: Target; readonly power?: boolean }
    /** SIGTERM: it hands over, finishes, ends, and is started again after `forMs`. */
    | { readonly type: "stop"; readonly node: Target }
    /** Every machine loses its power at once. */
    | { readonly type: "blackout" }
    /** SIGSTOP and SIGCONT. */
    | { readonly type: "pause"; readonly node: Target }
    /** The virtual machine is suspended: its monotonic clock stands still meanwhile. */
    | { readonly type: "suspend"; readonly node: Target }
    /** The monotonic clock stands still, the process runs. */
    | { readonly type: "freezeClock"; readonly node: Target }
    | { readonly type: "jumpClock"; readonly node: Target; readonly jumpMs: number }
    /** The monotonic clock runs at another rate for so long. */
    | { readonly type: "drift"; readonly node: Target; readonly rate: number }
    /** No commit completes. */
    | { readonly type: "diskStall"; readonly node: Target }
    | { readonly type: "diskSlow"; readonly node: Target; readonly factor: number }
    /** A commit fails; the process must end, and is started again after `forMs`. */
    | { readonly type: "diskError"; readonly node: Target }
    | { readonly type: "diskFull"; readonly node: Target }
    /** A crash, damage to what lies on the disk, and a start after `forMs`: it must be noticed. The node is lost. */
    | { readonly type: "corrupt"; readonly node: Target }
    /** A crash, damage to a row of its applied state, and a start after `forMs`: no read may ever show it, and it can be mended. */
    | { readonly type: "corruptState"; readonly node: Target }
    /** A crash, an empty disk, and a start after `forMs`: another replica under the old name. The old one is lost. */
    | { readonly type: "wipe"; readonly node: Target }
    /** Every turn of its loop takes longer. */
    | { readonly type: "slow"; readonly node: Target; readonly turnMs: number }
    /** Clients do `factor` times as much. */
    | { readonly type: "overload"; readonly factor: number }
    /**
     * Lies in wait until the node (or the first that does) takes a step that it must not forget, then strikes right there:
     * it votes, campaigns, sends the first entry of its term, or acknowledges entries.
     */
    | {
      readonly type: "ambush";
      readonly node: Target;
      readonly on: "vote" | "campaign" | "lead" | "acknowledge";
      readonly action: "crash" | "isolate" | "pause";
    }
    /** It becomes a learner by one joint change, and a voter again by another after `forMs`. */
    | { readonly type: "demote"; readonly node: Target }
    /** A node that has never started asks to be let in, or one that was removed, with an empty disk. */
    | { readonly type: "join"; readonly node: Target; readonly role?: "voter" | "learner" }
    /** People remove it. Where it is not down, it has to learn that. */
    | { readonly type: "remove"; readonly node: Target }
    /** People change the members in one step; without `voters`, to some of those that are members by then. */
    | {
      readonly type: "configure";
      readonly voters?: readonly string[];
      readonly learners?: readonly string[];
    }
    /**
     * It restarts after `forMs` under another address, and people tell it that of one other (of all, where there is no
     * gossip); "all": every node does, at once.
     */
    | { readonly type: "move"; readonly node: Target | "all" }
    /** Leadership is handed over, to whom it may concern. */
    | { readonly type: "transfer"; readonly to?: Target }
  );

export type FaultType = Fault["type"];

/** Done when they strike: how long they "last" says nothing. */
const momentary: readonly FaultType[] = ["jumpClock", "transfer", "join", "remove", "configure"];

/** "1.250s for 3.800s: crash node=leader", "1.250s: transfer to=n2" */
export function describeFault(fault: Fault): string {
  const { at, forMs, type, ...rest } = fault;
  const details = Object.entries(rest).map(([name, value]) =>
    `${name}=${typeof value === "number" ? Math.round(value * 1000) / 1000 : String(value)}`
  );
  const lasting = momentary.includes(type) ? "" : ` for ${(forMs / 1000).toFixed(3)}s`;
  return `${(at / 1000).toFixed(3)}s${lasting}: ${[type, ...details].join(" ")}`;
}
