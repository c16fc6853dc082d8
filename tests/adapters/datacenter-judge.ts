// What fails a run of the course simulator, and what a good replica would have done better: the same for real processes
// and for virtual time.
import type { ClientCounts, Clients } from "./datacenter-clients.ts";
import type { Scenario } from "./datacenter-scenarios.ts";

export type Tally = {
  readonly scenario: Scenario;
  readonly messages: number;
  readonly dropped: number;
  /** By type of message. */
  readonly byType: Readonly<Record<string, number>>;
  /** Who led, as far as replies and messages said, one after the other. */
  readonly leaders: readonly string[];
  /** How many requests killed replicas had not answered: more must not stay unanswered. */
  readonly inDeadHands: number;
};

export type Report = Tally & {
  readonly clients: ClientCounts;
  readonly unanswered: { readonly gets: number; readonly puts: number };
  /** As the simulator counts, each message to a client on its own; and whole requests with their redirects. ms. */
  readonly medianMs: number;
  readonly medianRequestMs: number;
  /** What fails a run. */
  readonly errors: readonly string[];
  /** What a good replica would have done better. */
  readonly complaints: readonly string[];
  /** The same for latency, which also depends on the machine. */
  readonly slow: readonly string[];
};

export const replicaIds = ["0000", "0001", "0002", "0003", "0004"];
/** Everybody, and nobody known. */
export const anybody = "FFFF";
export const idPattern = /^[0-9A-F]{4}$/;
export const maxDatagram = 65_507;
export const maxMessages = 20_000;

export function judge(tally: Tally, by: Clients, seen: readonly string[]): Report {
  const { counts: clients, unanswered } = by;
  const { scenario: { drops }, messages, leaders } = tally;
  const errors = [...seen, ...clients.wrong];
  if (unanswered.gets * 2 > clients.gets) errors.push(`${unanswered.gets} gets are unanswered`);
  if (unanswered.puts * 2 > clients.puts) errors.push(`${unanswered.puts} puts are unanswered`);
  if (messages > maxMessages) errors.push(`more than ${maxMessages} messages`);
  const [medianMs, medianRequestMs] = [median(clients.latencies), median(clients.requestLatencies)];
  const bound = drops > 0 ? 4500 : 4000;
  const changes = Math.max(0, leaders.length - 1);
  const complaints = [
    ...(messages >= bound ? [`${messages} messages between replicas, not under ${bound}`] : []),
    ...(clients.fails > changes ? [`${clients.fails} failures in ${changes} leader changes`] : []),
    ...(clients.duplicates > 2
      ? [`${clients.duplicates} duplicates: ${clients.duplicateReplies.join("; ")}`]
      : []),
  ];
  const slow = medianMs >= 5 ? [`median latency ${medianMs.toFixed(2)} ms`] : [];
  return { ...tally, clients, unanswered, medianMs, medianRequestMs, errors, complaints, slow };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}
