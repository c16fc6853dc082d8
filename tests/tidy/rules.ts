// The house rules as functions: files in, complaints out. An empty list is a tidy house.
import { dirname, join, normalize } from "node:path";
import { codeOnly, importsOf } from "./source.ts";

export type SourceFile = { readonly path: string; readonly text: string };

/** Types and small values of the core that other rooms speak in; the rest of lib/raft is for the replica and the simulation. */
const raftVocabulary = ["mod", "identity", "entry", "messages", "configuration", "ready"].map((name) =>
  `lib/raft/${name}.ts`
);
/** What the replica's ports are written in. */
const replicaPorts = ["lib/replica/ports.ts", "lib/replica/peer-messages.ts", "lib/replica/api.ts"];

/** Who may import whom inside lib/ (docs/architecture.md): folders end in a slash, files do not; a room always may import itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  raft: [],
  gossip: [],
  kv: ["lib/replica/ports.ts", "lib/bytes/"],
  replica: ["lib/raft/", "lib/gossip/", "lib/bytes/"],
  memory: [...raftVocabulary, ...replicaPorts, "lib/bytes/"],
  // Storage says what a disk did in the words of those who judge it.
  storage: [
    ...[...raftVocabulary, ...replicaPorts, "lib/bytes/"],
    ...["lib/replica/corruption.ts", "lib/replica/log-codec.ts"],
  ],
  peers: [...raftVocabulary, ...replicaPorts, "lib/bytes/"],
  http: [...raftVocabulary, "lib/replica/", "lib/kv/", "lib/bytes/"],
  adapters: [...raftVocabulary, "lib/replica/", "lib/kv/", "lib/memory/", "lib/bytes/"],
  simulation: ["lib/raft/", "lib/gossip/", "lib/replica/", "lib/kv/", "lib/memory/", "lib/bytes/"],
  client: ["lib/bytes/"],
  cli: ["lib/", "package.json"],
};

const pureRooms = ["bytes", "raft", "gossip", "kv", "replica", "memory", "simulation", "adapters"];
const worldly = new RegExp(
  [
    /(?<![.\w])(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|Bun|console|globalThis)\b(?!\??:)/,
    /\bMath\.random\b/,
    // The simulation has processes of its own: only what Node's has is meant.
    /(?<![.\w])process\s*\.\s*(env|argv|exit|abort|hrtime|nextTick|std(in|out|err)|on|once|pid|cwd|memoryUsage|uptime|platform)\b/,
  ].map((part) => part.source).join("|"),
  "g",
);

/** Bun and node: appear only where the world is touched. */
function touchesTheRuntime(path: string): boolean {
  return /^lib\/(storage|peers|cli)\//.test(path) || /^lib\/http\/server[^/]*\.ts$/.test(path);
}

function roomOf(path: string): string | null {
  return path.match(/^lib\/([^/]+)\//)?.[1] ?? null;
}

export function importDirections(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    const room = roomOf(path);
    if (room === null) continue;
    const allowed = mayImport[room];
    if (allowed === undefined) {
      complaints.push(`${path}: lib/${room}/ is not in the table of rooms (tests/tidy/rules.ts)`);
      continue;
    }
    for (const name of importsOf(text)) {
      if (!name.startsWith(".")) {
        if (pureRooms.includes(room)) complaints.push(`${path}: a pure room imports "${name}"`);
        else if (/^(node:|bun\b)/.test(name) && !touchesTheRuntime(path)) {
          complaints.push(`${path}: "${name}" belongs into storage, peers, cli or http's server file`);
        }
        continue;
      }
      const target = normalize(join(dirname(path), name)).replaceAll("\\", "/");
      const fits = target.startsWith(`lib/${room}/`) ||
        allowed.some((rule) => rule.endsWith("/") ? target.startsWith(rule) : target === rule);
      if (!fits) complaints.push(`${path}: lib/${room}/ may not import ${target}`);
      if (!/\.(ts|json)$/.test(target)) complaints.push(`${path}: "${name}" lacks its .ts`);
    }
  }
  return complaints;
}

export function purity(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    const room = roomOf(path);
    if (room === null) continue;
    const code = codeOnly(text);
    if (pureRooms.includes(room)) {
      for (const match of code.matchAll(worldly)) {
        complaints.push(`${path}:${lineAt(code, match.index)}: "${match[0]}" in a pure room`);
      }
    } else if (!touchesTheRuntime(path)) {
      for (const match of code.matchAll(/(?<![.\w])Bun\b/g)) {
        complaints.push(
          `${path}:${
            lineAt(code, match.index)
          }: "Bun" belongs into storage, peers, cli or http's server file`,
        );
      }
    }
  }
  return complaints;
}

/** Size, the opening comment, names, and marks of unfinished or bent work. */
export function shape(files: readonly SourceFile[]): string[] {
  const complaints: string[] = [];
  for (const { path, text } of files) {
    const inHouse = path.startsWith("lib/") || path === "main.ts";
    const code = codeOnly(text);
    const lines = text.split("\n").length - 1;
    const limit = inHouse ? 350 : 500;
    if (lines > limit) complaints.push(`${path}: ${lines} lines; past ${limit} a file holds a second idea`);
    if (inHouse && !/^\/[/*]/.test(text)) {
      complaints.push(`${path}: does not begin with a comment that says its idea`);
    }
    if (!/^([a-z0-9]+(-[a-z0-9]+)*)(\.test)?\.(ts|mjs)$/.test(path.split("/").at(-1) ?? "")) {
      complaints.push(`${path}: is not in kebab-case`);
    }
    if (/(^|\/)(utils?|helpers?|misc|common)\.ts$/.test(path)) {
      complaints.push(`${path}: says nothing by its name`);
    }
    if (inHouse && /^\s*export default\b/m.test(code)) complaints.push(`${path}: exports a default`);
    if (path.startsWith("lib/") && /\bprocess\s*\.\s*(exit|abort)\s*\(/.test(code)) {
      complaints.push(`${path}: only main.ts ends the process`);
    }
    for (const [pattern, subject, what] of marks) {
      for (const match of (subject === "text" ? text : code).matchAll(pattern)) {
        complaints.push(`${path}:${lineAt(subject === "text" ? text : code, match.index)}: ${what}`);
      }
    }
  }
  return complaints;
}

// Written in pieces, so that this file does not complain about itself.
const marks: readonly (readonly [RegExp, "text" | "code", string])[] = [
  [new RegExp("\\b(TO" + "DO|FIX" + "ME|XX" + "X)\\b", "g"), "text", "unfinished work belongs into an issue"],
  [new RegExp("@ts-" + "(ignore|expect-error|nocheck)", "g"), "text", "a type error is silenced"],
  [/\bas\s+any\b|:\s*any\b|<any>/g, "code", "any"],
  [/\b(test|describe|it)\s*\.\s*(only|skip|todo)\b/g, "code", "a test is left out"],
];

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
