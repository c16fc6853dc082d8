// The house keeps its own rules (docs/architecture.md): each test names what stands where it must not.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import denoConfig from "../../deno.json";
import packageJson from "../../package.json";
import { importDirections, purity, shape, type SourceFile } from "./rules.ts";
import { codeOnly, importsOf } from "./source.ts";

const root = new URL("../..", import.meta.url).pathname;

const files: SourceFile[] = [];
for (const pattern of ["main.ts", "{lib,tests,tools,bench,examples}/**/*.{ts,mjs}"]) {
  for (const path of new Bun.Glob(pattern).scanSync({ cwd: root })) {
    if (path.includes("node_modules/")) continue;
    files.push({ path, text: await Bun.file(root + path).text() });
  }
}

describe("the house rules", () => {
  test("rooms import only what the table allows", () => assertEquals(importDirections(files), []));
  test("pure rooms touch no clock, chance or runtime", () => assertEquals(purity(files), []));
  test("files have one idea, a name and no loose ends", () => assertEquals(shape(files), []));

  test("packages are pinned exactly", () => {
    const versions = Object.entries({ ...packageJson.dependencies, ...packageJson.devDependencies });
    assertEquals(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)), []);
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

  test("the top folder holds only what it should", () => {
    const allowed = [
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
    ];
    const listed = Bun.spawnSync(["git", "ls-files"], { cwd: root, stderr: "ignore" }).stdout.toString();
    const top = new Set(
      listed.split("\n").filter((path) => path !== "").map((path) => path.split("/")[0] ?? ""),
    );
    assertEquals([...top].filter((name) => !allowed.includes(name)), []);
  });
});

describe("the rules notice", () => {
  const complaintsAbout = (path: string, text: string) => {
    const file = [{ path, text: `// An idea.\n${text}\n` }];
    return [...importDirections(file), ...purity(file), ...shape(file)];
  };
  const cases: readonly (readonly [what: string, path: string, text: string])[] = [
    ["a room that reaches too far", "lib/raft/a.ts", 'import { x } from "../replica/ports.ts";'],
    ["a type-only import too", "lib/kv/a.ts", 'import type { X } from "../replica/api.ts";'],
    ["an import over several lines", "lib/kv/a.ts", 'import {\n  x,\n  y,\n} from "../http/app.ts";'],
    ["a room that is in no table", "lib/attic/a.ts", ""],
    ["a package in a pure room", "lib/kv/a.ts", 'import { nanoid } from "nanoid";'],
    ["the runtime in a route", "lib/http/routes/a.ts", 'import { x } from "node:fs";'],
    ["a clock in a pure room", "lib/raft/a.ts", "const now = Date.now();"],
    ["a clock inside a template", "lib/raft/a.ts", "const x = `at ${Date.now()} or so`;"],
    ["chance in a pure room", "lib/simulation/a.ts", "const x = Math.random();"],
    ["the environment in a pure room", "lib/replica/a.ts", "const home = process.env;"],
    ["the end of the process", "lib/cli/a.ts", "process.exit(1);"],
    ["a file grown out of shape", "lib/cli/a.ts", "\n".repeat(351)],
    ["a bad name", "lib/cli/badName.ts", ""],
    ["any", "lib/cli/a.ts", "const x = y as any;"],
    ["a test left out", "tests/kv/a.test.ts", 'test.skip("later", () => {});'],
  ];
  test.each([...cases])("%s", (_what, path, text) => assertEquals(complaintsAbout(path, text).length, 1));

  test("comments and strings are no code", () => {
    const text = 'const x = "Date"; /* process */ const y = /Bun["]/; // console\nconst z = `Date ${x} Bun`;';
    assertEquals(complaintsAbout("lib/raft/a.ts", text), []);
    assertEquals(complaintsAbout("lib/simulation/a.ts", "const process = node.process; process.turn();"), []);
    assertEquals(codeOnly("a // b\nc").trim(), "a \nc");
    assertEquals(importsOf('// import "x";\nexport * from "./y.ts";'), ["./y.ts"]);
  });
});
