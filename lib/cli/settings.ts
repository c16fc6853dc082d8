// Flags that also have an environment variable: a flag wins, an empty variable counts as absent, and what is wrong is
// told with the name under which the person gave it.
import { type Command, Option } from "commander";
import * as v from "valibot";
import { parseDuration } from "../notation/mod.ts";
import { wrongUsage } from "./failure.ts";

export type Setting<Schema extends v.GenericSchema<string | undefined, unknown>> = {
  /** As commander takes it: `--port <number>`; without a `<value>` it is a switch. */
  readonly flags: string;
  /** The first that is set and not empty. */
  readonly variables: readonly string[];
  readonly help: string;
  /** For the program itself: not in its help. */
  readonly hidden?: true;
  /** Gets the text, undefined where none was given; a switch gets "true". */
  readonly schema: Schema;
};

export type Settings = Readonly<Record<string, Setting<v.GenericSchema<string | undefined, unknown>>>>;

export type Values<S extends Settings> = {
  readonly [Name in keyof S]: v.InferOutput<S[Name]["schema"]>;
};

export type Environment = Readonly<Record<string, string | undefined>>;

/** Declares the flags on a command; their variables stand in its help. */
export function declare(command: Command, settings: Settings): Command {
  for (const { flags, variables, help, hidden = false } of Object.values(settings)) {
    const told = variables.length > 0 ? `${help} [${variables.join(", ")}]` : help;
    command.addOption(new Option(flags, told).hideHelp(hidden));
  }
  return command;
}

/** The values of all settings; throws a Failure (wrong usage) that names the flag or variable at fault. */
export function valuesOf<S extends Settings>(
  settings: S,
  command: Command,
  environment: Environment,
): Values<S> {
  const given: Record<string, unknown> = command.opts();
  const values: Record<string, unknown> = {};
  for (const [name, { flags, variables, schema }] of Object.entries(settings)) {
    const flag = given[new Option(flags).attributeName()];
    const variable = variables.find((candidate) => (environment[candidate] ?? "") !== "");
    const text = flag === undefined ? (variable && environment[variable]) : String(flag);
    const parsed = v.safeParse(schema, text);
    if (!parsed.success) {
      const source = flag === undefined && variable !== undefined ? variable : flags.split(/[ ,]/)[0];
      const what = text === undefined ? "is missing" : `"${text}"`;
      throw wrongUsage(`${source} ${what}: ${parsed.issues.map((issue) => issue.message).join("; ")}`);
    }
    values[name] = parsed.output;
  }
  return values as Values<S>;
}

// ---- kinds of values ------------------------------------------------------------------------------------------

/** Any text; null where none was given. */
export function text() {
  return v.pipe(v.optional(v.string()), v.transform((value) => value ?? null));
}

export function textOr(fallback: string) {
  return v.optional(v.string(), fallback);
}

export function wholeNumber(fallback: number, least: number, most: number) {
  const expected = `a whole number from ${least} to ${most} is expected`;
  return v.pipe(
    v.optional(v.string(), String(fallback)),
    v.regex(/^\d{1,15}$/, expected),
    v.transform(Number),
    v.minValue(least, expected),
    v.maxValue(most, expected),
  );
}

/** null where none was given. */
export function wholeNumberOrNone(least: number, most: number) {
  const expected = `a whole number from ${least} to ${most} is expected`;
  return v.pipe(
    v.optional(v.string()),
    v.check((value) => value === undefined || /^-?\d{1,16}$/.test(value), expected),
    v.transform((value) => value === undefined ? null : Number(value)),
    v.check((value) => value === null || (value >= least && value <= most), expected),
  );
}

/** Above zero, with or without a fraction. */
export function positiveNumberOrNone(most: number) {
  const expected = `a number above 0, at most ${most}, is expected`;
  return v.pipe(
    v.optional(v.string()),
    v.check((value) => value === undefined || /^\d{1,15}(\.\d{1,9})?$/.test(value), expected),
    v.transform((value) => value === undefined ? null : Number(value)),
    v.check((value) => value === null || (value > 0 && value <= most), expected),
  );
}

/** Above zero, in milliseconds; null where none was given. */
export function durationOrNone() {
  return v.pipe(
    v.optional(v.string()),
    v.check(
      (value) => value === undefined || (parseDuration(value) ?? 0) > 0,
      "a time such as 30s, 10m, 1.5h or 7d is expected",
    ),
    v.transform((value) => value === undefined ? null : parseDuration(value)),
  );
}

export function toggle() {
  const meanings: Readonly<Record<string, boolean>> = {
    ...{ true: true, 1: true, yes: true, on: true },
    ...{ false: false, 0: false, no: false, off: false },
  };
  return v.pipe(
    v.optional(v.string(), "false"),
    v.transform((value) => meanings[value.toLowerCase()]),
    v.boolean("true or false is expected"),
  );
}

export function oneOf<const Choice extends string>(choices: readonly Choice[], fallback: Choice) {
  return v.optional(v.picklist(choices, `one of ${choices.join(", ")} is expected`), () => fallback);
}

/** Comma-separated, blanks dropped; [] where none was given. */
export function list() {
  return v.pipe(
    v.optional(v.string(), ""),
    v.transform((value) => value.split(",").map((part) => part.trim()).filter((part) => part !== "")),
  );
}
