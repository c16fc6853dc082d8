// The house rules as functions: files in, complaints out. An empty list is a tidy house.
import { dirname, join, normalize } from "node:path";
import { type Mention, readSource, type Source } from "./source.ts";
import { type Room, rowOf } from "./table.ts";

export type SourceFile = { readonly path: string; readonly text: string };

const read = new WeakMap<SourceFile, Source>();

export function sourceOf(file: SourceFile): Source {
  const known = read.get(file) ?? readSource(file.path, file.text);
  read.set(file, known);
  return known;
}

function inHouse({ path }: SourceFile): boolean {
  return path.startsWith("lib/") || path === "main.ts";
}

export function importDirections(files: readonly SourceFile[], rooms: readonly Room[]): string[] {
  return files.filter(inHouse).flatMap((file) => {
    const room = rowOf(rooms, file.path);
    if (room === undefined) return [`${file.path}: has no row in the table of docs/architecture.md`];
    return sourceOf(file).imports.flatMap(({ name, line }) => {
      const wrong = name === null ? "imports what is computed" : wrongImport(name, file.path, room);
      return wrong === null ? [] : [`${file.path}:${line}: ${wrong}`];
    });
  });
}

function wrongImport(name: string, path: string, room: Room): string | null {
  if (/^(node:)?process$/.test(name)) return "the process is reached by its own name, so that it is seen";
  if (/^(node:|bun\b)/.test(name)) {
    return room.touches === "the runtime" ? null : `"${name}" belongs where the runtime is touched`;
  }
  if (!name.startsWith(".")) {
    return room.packages.some((known) => name === known || name.startsWith(`${known}/`))
      ? null
      : `${room.path} may not import the package "${name}"`;
  }
  const target = normalize(join(dirname(path), name)).replaceAll("\\", "/");
  if (!/\.(ts|json)$/.test(target)) return `"${name}" lacks its .ts`;
  const fits = target.startsWith(room.path) ||
    room.files.some((rule) => rule.endsWith("/") ? target.startsWith(rule) : target === rule);
  return fits ? null : `${room.path} may not import ${target}`;
}

/** What ECMAScript itself has that differs between two runs or two machines. Other globals the type checker refuses there (./pure). */
const worldly = new Set([
  ...["Date", "Intl", "Temporal", "Atomics", "globalThis", "import.meta", "WeakRef", "FinalizationRegistry"],
  // Behind these anything can hide.
  ...["eval", "Function"],
]);
/** What a room of web standards must not reach for. */
const runtimes = new Set([
  ...["Bun", "process", "Buffer", "require", "module", "global", "globalThis", "import.meta"],
  ...["Date", "Temporal", "eval", "Function"],
]);

export function purity(files: readonly SourceFile[], rooms: readonly Room[]): string[] {
  return files.filter(inHouse).flatMap((file) => {
    const { touches } = rowOf(rooms, file.path) ?? { touches: "nothing" };
    const { mentions, reached } = sourceOf(file);
    if (touches === "the runtime") {
      return file.path === "main.ts"
        ? []
        : mentions.filter(endsTheProcess).map(({ line }) =>
          `${file.path}:${line}: only main.ts ends the process`
        );
    }
    const refused = touches === "nothing" ? worldly : runtimes;
    const where = touches === "nothing" ? "a pure room" : "a room of web standards";
    return [
      ...mentions.filter((mention) => refused.has(mention.name) || isChance(mention)),
      ...reached.filter(({ name }) => touches === "nothing" && /^(localeCompare|toLocale\w+)$/.test(name)),
    ].map(({ name, line }) => `${file.path}:${line}: "${name}" in ${where}`);
  });
}

/** Math is for arithmetic: `Math.random`, or Math handed on so that nobody sees what is taken of it. */
function isChance({ name, members: [first] }: Mention): boolean {
  return name === "Math" && (typeof first !== "string" || first === "random");
}

function endsTheProcess({ name, members: [first] }: Mention): boolean {
  return name === "process" && (first === null || /^(exit|abort|reallyExit|kill)$/.test(first ?? ""));
}

/** Size, the opening comment, names, and marks of unfinished or bent work. */
export function shape(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const file of files) {
    const { path, text } = file;
    const source = sourceOf(file);
    const lines = text.split("\n").length - 1;
    const limit = inHouse(file) ? 350 : 500;
    if (lines > limit) complaints.push(`${path}: ${lines} lines; past ${limit} a file holds a second idea`);
    if (inHouse(file) && !/^\/[/*]/.test(text)) {
      complaints.push(`${path}: does not begin with a comment that says its idea`);
    }
    if (!/^([a-z0-9]+(-[a-z0-9]+)*)(\.test|\.d)?\.(ts|mjs)$/.test(path.split("/").at(-1) ?? "")) {
      complaints.push(`${path}: is not in kebab-case`);
    }
    if (/(^|\/)(utils?|helpers?|misc|common)\.ts$/.test(path)) {
      complaints.push(`${path}: says nothing by its name`);
    }
    if (inHouse(file)) {
      complaints.push(...source.defaults.map((line) => `${path}:${line}: exports a default`));
    }
    complaints.push(...source.anys.map((line) => `${path}:${line}: any`));
    for (const mention of source.mentions) {
      if (path.startsWith("tests/") && leavesTestsOut(mention)) {
        complaints.push(`${path}:${mention.line}: a test is left out`);
      }
    }
    for (const [pattern, what] of marks) {
      for (const match of text.matchAll(pattern)) {
        complaints.push(`${path}:${text.slice(0, match.index).split("\n").length}: ${what}`);
      }
    }
  }
  return complaints;
}

/** A test that cannot run here says so and returns: then its message is seen, and nobody leaves it out for good. */
function leavesTestsOut({ name, members }: Mention): boolean {
  if (/^([xf](test|it|describe))$/.test(name)) return true;
  return /^(test|it|describe)$/.test(name) &&
    members.some((member) =>
      member === null || /^(only|skip|todo|failing|if|(skip|only|todo|failing)If)$/.test(member)
    );
}

// Written in pieces, so that this file does not complain about itself.
const marks: readonly (readonly [RegExp, string])[] = [
  [new RegExp("\\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b", "g"), "unfinished work belongs into an issue"],
  [new RegExp("@ts-" + "(ignore|expect-error|nocheck)", "g"), "a type error is silenced"],
];
