// The house keeps its own rules (docs/architecture.md): each test names what stands where it must not.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { dirname, join, normalize } from "node:path";
import denoConfig from "../../deno.json";
import packageJson from "../../package.json";
import { tempFolder } from "../support/temp-folder.ts";
import pureConfig from "./pure/tsconfig.json";
import { importDirections, purity, shape, type SourceFile, sourceOf } from "./rules.ts";
import { readTable } from "./table.ts";

const root = new URL("../..", import.meta.url).pathname;
const rooms = readTable(await Bun.file(`${root}docs/architecture.md`).text());

const files: SourceFile[] = [];
for (const pattern of ["main.ts", "{lib,tests,tools,bench,examples}/**/*.{ts,mjs}"]) {
  for (const path of new Bun.Glob(pattern).scanSync({ cwd: root })) {
    if (path.includes("node_modules/")) continue;
    files.push({ path, text: await Bun.file(root + path).text() });
  }
}

/** What git knows or would add. */
const listed = Bun.spawnSync(["git", "ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root })
  .stdout.toString().split("\n").filter((path) => path !== "");

describe("the house rules", () => {
  test("rooms import only what the table allows", () => assertEquals(importDirections(files, rooms), []));
  test("pure rooms touch no clock, chance or runtime", () => assertEquals(purity(files, rooms), []));
  test("files have one idea, a name and no loose ends", () => assertEquals(shape(files), []));

  test("the table has a row for each room and no other", () => {
    const folders = files.flatMap(({ path }) => /^lib\/[^/]+\//.exec(path)?.[0] ?? []);
    const rows = rooms.map(({ path }) => path).filter((path) => path.endsWith("/"));
    assertEquals(rows.sort(), [...new Set(folders)].sort());
  });

  test("the rooms that touch nothing are compiled against ECMAScript alone", () => {
    const pure = rooms.filter(({ path, touches }) => touches === "nothing" && path.endsWith("/"));
    const compiled = pureConfig.include.filter((path) => !path.endsWith(".d.ts"));
    assertEquals(compiled.sort(), pure.map(({ path }) => `../../../${path.slice(0, -1)}`).sort());
  });

  test("packages are pinned exactly", () => {
    const versions = Object.entries({ ...packageJson.dependencies, ...packageJson.devDependencies });
    assertEquals(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)), []);
  });

  test("every package is imported somewhere", () => {
    /** Those that are started, or that give the type checker its types. */
    const tools = ["bun", "deno", "typescript", "@types/bun"];
    const importedBy = (from: RegExp) => {
      const names = files.filter(({ path }) => from.test(path)).flatMap((file) => sourceOf(file).imports);
      return (known: string) => names.some(({ name }) => name === known || name?.startsWith(`${known}/`));
    };
    const inLibrary = importedBy(/^lib\//), anywhere = importedBy(/./);
    assertEquals(Object.keys(packageJson.dependencies).filter((name) => !inLibrary(name)), []);
    const idle = Object.keys(packageJson.devDependencies).filter((name) => !anywhere(name));
    assertEquals(idle.filter((name) => !tools.includes(name)), []);
  });

  test("deno.json and package.json run the same things", () => {
    const scripts: Record<string, string> = packageJson.scripts;
    const tasks: Record<string, string> = denoConfig.tasks;
    const plain = Object.entries(scripts).map(([name, command]) => [
      name,
      command.replace("node tools/with-bun.mjs ", "bun "),
    ]);
    assertEquals(Object.fromEntries(plain), tasks);
  });

  test("documents name commands and files that there are", async () => {
    const complaints: string[] = [];
    const speaking = [...listed.filter((path) => path.endsWith(".md")), ...files.map(({ path }) => path)];
    for (const path of speaking.filter((path) => !path.startsWith("tests/tidy/"))) {
      const text = await Bun.file(root + path).text();
      for (const [, script = ""] of text.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)) {
        if (!(script in packageJson.scripts)) complaints.push(`${path}: there is no "npm run ${script}"`);
      }
      // A machine with only Node and npm, and the packages in node_modules, has no such command.
      for (
        const [said] of text.matchAll(/`(?:[A-Z_]+=\S* )?bun (?:run|test|\w+\/)[^`]*`|^\/\/ .*\bbun run .*/gm)
      ) {
        complaints.push(`${path}: ${said}: a machine with only Node has an npm script instead`);
      }
      if (!path.endsWith(".md")) continue;
      for (const [, link = ""] of text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        const target = normalize(join(dirname(path), link));
        const there = listed.some((file) =>
          file === target || file.startsWith(`${target.replace(/\/$/, "")}/`)
        );
        if (!there) complaints.push(`${path}: ${link} is not there`);
      }
    }
    assertEquals(complaints, []);
  });

  test("the top folder holds only what it should", () => {
    const top = new Set(listed.map((path) => path.split("/")[0] ?? ""));
    assertEquals([...top].sort(), [
      ...[
        ".ci",
        ".gitignore",
        "LICENSE",
        "README.md",
        "bench",
        "bun.lock",
        "bunfig.toml",
        "compile.sh",
        "deno.json",
      ],
      ...["deploy", "docs", "examples", "lib", "main.ts", "package.json", "tests", "tools", "tsconfig.json"],
    ]);
  });
});

describe("the rules notice", () => {
  const complaintsAbout = (path: string, text: string) => {
    const file = [{ path, text: `// An idea.\n${text}\n` }];
    return [...importDirections(file, rooms), ...purity(file, rooms), ...shape(file)];
  };
  const cases: readonly (readonly [what: string, path: string, text: string])[] = [
    ["a room that reaches too far", "lib/raft/a.ts", 'import { x } from "../replica/ports.ts";'],
    ["a type-only import too", "lib/kv/a.ts", 'import type { X } from "../replica/api.ts";'],
    ["a type imported in its place", "lib/kv/a.ts", 'type X = import("../replica/api.ts").X;'],
    ["an import over several lines", "lib/kv/a.ts", 'import {\n  x,\n  y,\n} from "../http/app.ts";'],
    ["an import after a string", "lib/raft/a.ts", 'const x = "/*"; import { y } from "../kv/mod.ts"; // */'],
    [
      "the second of two",
      "lib/kv/a.ts",
      'import { x } from "../bytes/mod.ts"; import { y } from "../raft/mod.ts";',
    ],
    ["a computed import", "lib/replica/a.ts", 'await import(["node", "fs"].join(":"));'],
    ["a required module", "lib/replica/a.ts", 'const fs = require("node:fs");'],
    ["a room that is in no table", "lib/attic/a.ts", ""],
    ["a file that is in no table", "lib/attic.ts", ""],
    ["a package in a pure room", "lib/kv/a.ts", 'import { nanoid } from "nanoid";'],
    ["a package in the wrong room", "lib/peers/a.ts", 'import { Hono } from "hono/tiny";'],
    ["the house imported by its name", "lib/cli/a.ts", 'import { Replica } from "coracle";'],
    ["main.ts past the command line", "main.ts", 'import { Raft } from "./lib/raft/mod.ts";'],
    ["the command line in the library", "lib/mod.ts", 'export { run } from "./cli/run.ts";'],
    ["the runtime in a route", "lib/http/routes/a.ts", 'import { x } from "node:fs";'],
    ["the process in a route", "lib/http/routes/a.ts", "const home = process.env.HOME;"],
    ["a clock in a route", "lib/http/routes/a.ts", "const now = Date.now();"],
    ["Bun in a client", "lib/client/a.ts", 'const file = Bun.file("x");'],
    ["a clock in a pure room", "lib/raft/a.ts", "const now = Date.now();"],
    ["a clock inside a template", "lib/raft/a.ts", "const x = `at ${Date.now()} or so`;"],
    [
      "a clock after a pattern",
      "lib/raft/a.ts",
      'const f = (x: string) => /"/.test(x); const y = Date.now(); // "',
    ],
    ["a clock handed on", "lib/raft/a.ts", "const clocks = { Date };"],
    ["chance in a pure room", "lib/simulation/a.ts", "const x = Math.random();"],
    ["chance in brackets", "lib/raft/a.ts", 'const x = Math["random"]();'],
    ["chance taken out", "lib/raft/a.ts", "const { floor, random } = Math;"],
    ["all of Math", "lib/raft/a.ts", "const m = Math;"],
    ["time zones", "lib/raft/a.ts", "const format = Intl.DateTimeFormat;"],
    ["the newer clock", "lib/raft/a.ts", "const now = Temporal.Now;"],
    ["a thread's sleep", "lib/raft/a.ts", "Atomics.wait(cells, 0, 0, 100);"],
    ["everything global", "lib/raft/a.ts", 'const x = globalThis["process"];'],
    ["the module's own place", "lib/raft/a.ts", "const home = import.meta.env.HOME;"],
    ["an order that depends on the machine", "lib/kv/a.ts", "keys.sort((a, b) => a.localeCompare(b));"],
    ["the end of the process", "lib/cli/a.ts", "process.exit(1);"],
    ["its end in brackets", "lib/cli/a.ts", 'process["exit"](1);'],
    ["its end taken out", "lib/cli/a.ts", "const { exit } = process;"],
    ["its end imported", "lib/cli/a.ts", 'import { exit } from "node:process";'],
    ["a file grown out of shape", "lib/cli/a.ts", "\n".repeat(351)],
    ["a bad name", "lib/cli/badName.ts", ""],
    ["a default export", "lib/cli/a.ts", "export default 1;"],
    ["a default export by another name", "lib/cli/a.ts", "const x = 1; export { x as default };"],
    ["any", "lib/cli/a.ts", "const x = y as any;"],
    ["a test left out", "tests/kv/a.test.ts", 'test.skip("later", () => {});'],
    ["a test left out by a condition", "tests/kv/a.test.ts", 'test.if(false)("later", () => {});'],
    ["one skipped by a condition", "tests/kv/a.test.ts", 'test.skipIf(true)("later", () => {});'],
    ["one that may fail", "tests/kv/a.test.ts", 'test.failing("later", () => {});'],
    ["one crossed out", "tests/kv/a.test.ts", 'xtest("later", () => {});'],
    ["the others left out", "tests/kv/a.test.ts", 'test.concurrent.only("this", () => {});'],
    ["left out after its table", "tests/kv/a.test.ts", 'describe.each([1]).skip("later", () => {});'],
  ];
  test.each([...cases])("%s", (_what, path, text) => {
    assertEquals(complaintsAbout(path, text).length, 1, complaintsAbout(path, text).join("\n"));
  });

  test("comments and strings are no code", () => {
    const text = 'const x = "Date"; /* process */ const y = /Bun["]/; // console\nconst z = `Date ${x} Bun`;';
    assertEquals(complaintsAbout("lib/raft/a.ts", text), []);
    assertEquals(complaintsAbout("lib/simulation/a.ts", "const process = node.process; process.turn();"), []);
    assertEquals(
      complaintsAbout("lib/raft/a.ts", "const x = { Date: 1 }; x.Date; const { abs } = Math;"),
      [],
    );
    assertEquals(complaintsAbout("lib/raft/a.ts", '// import "x";\nexport * from "./y.ts";'), []);
  });
});

test("the type checker notices every other global in a pure room", async () => {
  const planted = [
    "crypto.getRandomValues(new Uint8Array(8));",
    "crypto.randomUUID();",
    "const { env } = process; void env;",
    'process["env"];',
    'fetch("http://127.0.0.1");',
    'new WebSocket("ws://127.0.0.1");',
    'new Worker("./other.ts");',
    "self.setTimeout(() => {}, 1);",
    "setTimeout(() => {}, 1);",
    "queueMicrotask(() => {});",
    "performance.now();",
    'console.log("x");',
    'Bun.file("x");',
    "import.meta.env;",
    'require("node:fs");',
    'import { readFileSync } from "node:fs"; readFileSync("x");',
  ];
  await using folder = await tempFolder("pure");
  await Promise.all(
    planted.map((text, at) => Bun.write(`${folder.path}/planted-${at}.ts`, `${text}\nexport {};\n`)),
  );
  await Bun.write(
    `${folder.path}/tsconfig.json`,
    JSON.stringify({ extends: `${root}tests/tidy/pure/tsconfig.json`, include: ["*.ts"] }),
  );
  const { stdout } = Bun.spawnSync([`${root}node_modules/.bin/tsc`, "-p", folder.path]);
  const said = stdout.toString();
  planted.forEach((text, at) =>
    assert(said.includes(`planted-${at}.ts(1,`), `not noticed: ${text}\n${said}`)
  );
});
