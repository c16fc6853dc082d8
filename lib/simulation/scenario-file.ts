// Reads the JSON of a scenario file, strictly: what is misspelt, out of range or can never strike would make a scenario pass
// that tests nothing. What is wrong is told with its path and what is expected there.
import type { FaultType } from "./faults.ts";
import type { Scenario } from "./scenario.ts";

export type ParsedScenario =
  | { readonly ok: true; readonly scenario: Scenario }
  | { readonly ok: false; readonly problem: string };

const unnamed = { name: "scenario", description: "" };

type Fields = Readonly<Record<string, unknown>>;

/** What is wrong with a value at a path; null = nothing. */
type Check = (value: unknown, path: string) => string | null;

/** What a scenario's faults may refer to. */
type Frame = { readonly nodes: number; readonly durationMs: number; readonly changing: boolean };

export function parseScenario(text: string): ParsedScenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  const problem = problemOf(value);
  if (problem !== null) return { ok: false, problem };
  return { ok: true, scenario: { ...unnamed, ...value as typeof unnamed & Scenario } };
}

function problemOf(value: unknown): string | null {
  if (!isRecord(value)) return "a scenario is an object with durationMs and faults";
  const nodes = typeof value.nodes === "number" ? value.nodes : 3;
  const durationMs = typeof value.durationMs === "number" ? value.durationMs : 0;
  const changing = value.founders !== undefined;
  const span = listOf(spanWithin(durationMs));
  // In this order: what faults are held against comes first.
  return fieldsProblem(value, "", "a scenario", {
    name: optional(string),
    description: optional(string),
    nodes: optional(whole(1, 9)),
    founders: optional(whole(1, nodes)),
    durationMs: number(1, 1e8),
    mustCommit: optional(span),
    mustLead: optional(span),
    mustRead: optional(span),
    faults: listOf(faultIn({ nodes, durationMs, changing })),
  });
}

/** A fault, by its type: every one has `at` and `forMs` beside what stands here. */
function faultFields(
  { nodes, changing }: Frame,
): Readonly<Record<FaultType, Readonly<Record<string, Check>>>> {
  const names = Array.from({ length: nodes }, (_, at) => `n${at + 1}`);
  const node = oneOf(["leader", "follower", "any", ...names]);
  const members = whereMembersChange(changing);
  const named = listOf(oneOf(names));
  return {
    partition: { side: filled(listOf(node)), oneWay: optional(oneOf(["out", "in"])) },
    lag: { side: filled(listOf(node)), oneWay: optional(oneOf(["out", "in"])), delayMs: number(0) },
    flap: { a: node, b: node, periodMs: number(1) },
    storm: { loss: number(0, 1), duplicate: number(0, 1), delayMs: number(0) },
    crash: { node, power: optional(boolean) },
    stop: { node },
    blackout: {},
    pause: { node },
    suspend: { node },
    freezeClock: { node },
    jumpClock: { node, jumpMs: number(-1e12) },
    drift: { node, rate: number(0.01, 100) },
    diskStall: { node },
    diskSlow: { node, factor: number(1) },
    diskError: { node },
    diskFull: { node },
    corrupt: { node },
    corruptState: { node },
    wipe: { node },
    slow: { node, turnMs: number(0) },
    overload: { factor: number(0.001) },
    ambush: {
      node,
      on: oneOf(["vote", "campaign", "lead", "acknowledge"]),
      action: oneOf(["crash", "isolate", "pause"]),
    },
    demote: { node },
    join: { type: members, node: oneOf(["any", ...names]), role: optional(oneOf(["voter", "learner"])) },
    remove: { type: members, node },
    configure: { type: members, voters: optional(filled(named)), learners: optional(named) },
    move: { node: oneOf(["all", "leader", "follower", "any", ...names]) },
    transfer: { to: optional(node) },
  };
}

function faultIn(frame: Frame): Check {
  const table = faultFields(frame);
  const isType = oneOf(Object.keys(table));
  return (value, path) => {
    if (!isRecord(value)) return `${path}: a fault is an object with type, at and forMs`;
    const { type } = value;
    const own = Object.entries(table).find(([name]) => name === type)?.[1];
    if (own === undefined) return isType(type, `${path}.type`);
    const at: Check = (time, where) =>
      typeof time === "number" && time >= 0 && time < frame.durationMs
        ? null
        : expected(where, `a number of ms from 0 to below durationMs (${frame.durationMs})`, time);
    const fields = { type: isType, at, forMs: number(0), ...own };
    const problem = fieldsProblem(value, `${path}.`, `a ${String(type)}`, fields);
    if (problem !== null) return problem;
    const { a, b, voters, learners } = value;
    if (type === "flap" && a === b) return `${path}.b: another node than ${path}.a is expected`;
    if (type === "configure" && voters === undefined && learners !== undefined) {
      return `${path}.voters: is missing beside learners; without both, members are drawn`;
    }
    return null;
  };
}

/** The first problem of an object that has exactly these fields. */
function fieldsProblem(
  value: Fields,
  prefix: string,
  what: string,
  fields: Readonly<Record<string, Check>>,
): string | null {
  const strange = Object.keys(value).find((name) => !Object.hasOwn(fields, name));
  if (strange !== undefined) {
    return `${prefix}${strange}: ${what} has no such field, only ${Object.keys(fields).join(", ")}`;
  }
  for (const [name, check] of Object.entries(fields)) {
    const problem = check(value[name], `${prefix}${name}`);
    if (problem !== null) return problem;
  }
  return null;
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function expected(path: string, what: string, value: unknown): string {
  if (value === undefined) return `${path}: is missing; ${what} is expected`;
  return `${path}: ${what} is expected, not ${JSON.stringify(value).slice(0, 60)}`;
}

const string: Check = (value, path) => typeof value === "string" ? null : expected(path, "a text", value);

const boolean: Check = (value, path) =>
  typeof value === "boolean" ? null : expected(path, "true or false", value);

function number(least: number, most = 1e12): Check {
  return (value, path) =>
    typeof value === "number" && value >= least && value <= most
      ? null
      : expected(path, most === 1e12 ? `a number from ${least}` : `a number from ${least} to ${most}`, value);
}

function whole(least: number, most: number): Check {
  return (value, path) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? null
      : expected(path, `a whole number from ${least} to ${most}`, value);
}

function oneOf(choices: readonly string[]): Check {
  return (value, path) =>
    choices.some((choice) => choice === value) ? null : expected(path, `one of ${choices.join(", ")}`, value);
}

function listOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return expected(path, "a list", value);
    for (const [at, item] of value.entries()) {
      const problem = check(item, `${path}[${at}]`);
      if (problem !== null) return problem;
    }
    return null;
  };
}

function filled(check: Check): Check {
  return (value, path) =>
    Array.isArray(value) && value.length === 0
      ? expected(path, "at least one node", value)
      : check(value, path);
}

function optional(check: Check): Check {
  return (value, path) => value === undefined ? null : check(value, path);
}

/** [fromMs, toMs] */
function spanWithin(durationMs: number): Check {
  return (value, path) => {
    const [from, to, ...rest] = Array.isArray(value) ? value as unknown[] : [];
    const fits = typeof from === "number" && typeof to === "number" && rest.length === 0 &&
      from >= 0 && from < to && to <= durationMs;
    return fits ? null : expected(path, `[fromMs, toMs] from 0 to durationMs (${durationMs})`, value);
  };
}

function whereMembersChange(changing: boolean): Check {
  return (_value, path) =>
    changing ? null : `${path}: members change only where the scenario names its founders`;
}
