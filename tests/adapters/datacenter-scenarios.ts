// The seventeen scenarios of the course simulator, as data: quiet ones, kills, losses, partitions, and all of it together.

export type EventType =
  | "kill_leader"
  | "kill_follower"
  | "partition_easy"
  | "partition_hard"
  | "partition_end";

export type Scenario = {
  readonly name: string;
  readonly requests: number;
  /** Share of messages between replicas that are lost. */
  readonly drops: number;
  /** When, as a share of the time in which requests come. */
  readonly events: readonly (readonly [at: number, type: EventType])[];
  /** Clients ask anybody every time instead of the leader that they heard of. */
  readonly forgetful?: boolean;
};

const quiet = { requests: 500, drops: 0, events: [] };

export const scenarios: readonly Scenario[] = [
  { ...quiet, name: "quiet, 200 requests", requests: 200 },
  { ...quiet, name: "quiet, 500 requests" },
  { ...quiet, name: "quiet, clients ask anybody", forgetful: true },
  { ...quiet, name: "a follower dies", events: [[0.3, "kill_follower"]] },
  { ...quiet, name: "two followers die", events: [[0.2, "kill_follower"], [0.6, "kill_follower"]] },
  { ...quiet, name: "the leader dies", events: [[0.4, "kill_leader"]] },
  { ...quiet, name: "two leaders die", events: [[0.25, "kill_leader"], [0.65, "kill_leader"]] },
  { ...quiet, name: "10 % lost", drops: 0.1 },
  { ...quiet, name: "20 % lost", drops: 0.2 },
  { ...quiet, name: "30 % lost", drops: 0.3 },
  { ...quiet, name: "easy partition", events: [[0.3, "partition_easy"], [0.6, "partition_end"]] },
  { ...quiet, name: "hard partition", events: [[0.3, "partition_hard"], [0.6, "partition_end"]] },
  {
    ...quiet,
    name: "easy and hard partitions",
    events: [[0.1, "partition_easy"], [0.35, "partition_end"], [0.5, "partition_hard"], [
      0.75,
      "partition_end",
    ]],
  },
  {
    ...quiet,
    name: "two hard partitions",
    events: [[0.1, "partition_hard"], [0.35, "partition_end"], [0.5, "partition_hard"], [
      0.8,
      "partition_end",
    ]],
  },
  { ...quiet, name: "10 % lost, the leader dies", drops: 0.1, events: [[0.4, "kill_leader"]] },
  {
    ...quiet,
    name: "20 % lost, hard partition, the leader dies",
    drops: 0.2,
    events: [[0.2, "partition_hard"], [0.45, "partition_end"], [0.7, "kill_leader"]],
  },
  {
    ...quiet,
    name: "30 % lost, a follower and the leader die",
    drops: 0.3,
    events: [[0.25, "kill_follower"], [0.55, "kill_leader"]],
  },
];
