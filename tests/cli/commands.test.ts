// The client commands against one real node: what they print, what they leave behind.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { afterAll, beforeAll, describe, test } from "bun:test";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { problem, scripted } from "../client/support.ts";
import { cleanEnvironment, coracleCommand, runCoracle, type RunOptions } from "../support/coracle.ts";
import { NodeProcess } from "../support/node-process.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

let folder: TempFolder;
let node: NodeProcess;

beforeAll(async () => {
  folder = await tempFolder("commands");
  node = new NodeProcess({ id: "n1", port: 0, data: join(folder.path, "data") });
  await node.start();
  await node.ready();
});

afterAll(async () => {
  await node.kill();
  await folder.remove();
});

const coracle = (args: readonly string[], options: RunOptions = {}) =>
  runCoracle(args, { ...options, env: { CORACLE_URL: node.url } });

/** Runs a command that must succeed; what it printed. */
async function printed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await coracle(args);
  assertEquals([code, stderr], [0, ""]);
  return stdout;
}

describe("get, put, del", () => {
  test("a value comes back as it was put", async () => {
    assertMatch(await printed("put", "one/a", "ahoy"), /^one\/a made at revision \d+\n$/);
    assertMatch(await printed("put", "one/a", "ahoy!"), /^one\/a changed at revision \d+\n$/);
    assertEquals(await printed("get", "one/a"), "ahoy!");
    const item = JSON.parse(await printed("get", "one/a", "--json"));
    assertEquals([item.key, item.value, item.encoding, item.version], ["one/a", "ahoy!", "utf8", 2]);
  });

  test("bytes from stdin and from a file, with their type", async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, at) => at);
    assertEquals((await coracle(["put", "one/bytes"], { stdin: bytes })).code, 0);
    const copy = join(folder.path, "copy");
    await printed("get", "one/bytes", "--file", copy);
    assertEquals(await Bun.file(copy).bytes(), bytes);
    const page = join(folder.path, "page.html");
    await writeFile(page, "<p>");
    await printed("put", "one/page", "--file", page);
    assertMatch(JSON.parse(await printed("get", "one/page", "--json")).contentType, /^text\/html/);
  });

  test("a key that starts with a dash, and an empty value", async () => {
    await printed("put", "--", "-n", "");
    assertEquals(await printed("get", "--", "-n"), "");
    assertMatch(await printed("del", "--", "-n"), /^1 deleted/);
  });

  test("what is not there is told, and told apart from failure", async () => {
    const { code, stdout, stderr } = await coracle(["get", "one/none"]);
    assertEquals([code, stdout, stderr], [1, "", "coracle: there is no key one/none (not_found)\n"]);
    assertMatch(await printed("del", "one/none"), /^0 deleted/);
  });

  test("conditions", async () => {
    const { revision } = JSON.parse(await printed("put", "one/c", "1", "--if-absent", "--json"));
    assertEquals((await coracle(["put", "one/c", "2", "--if-absent"])).code, 1);
    await printed("put", "one/c", "2", "--if-match", String(revision));
    const late = await coracle(["put", "one/c", "3", "--if-match", String(revision)]);
    assertEquals(late.code, 1);
    assertMatch(late.stderr, /precondition_failed/);
  });

  test("what is no UTF-8 on the command line is refused, not repaired", async () => {
    const command = coracleCommand().map((part) => `'${part}'`).join(" ");
    for (const args of ["$(printf 'one/a\\377b') v", "one/bytes-of $(printf '\\377')"]) {
      const child = Bun.spawn(["sh", "-c", `${command} put ${args}`], {
        env: cleanEnvironment({ CORACLE_URL: node.url }),
        stdout: "pipe",
        stderr: "pipe",
      });
      assertMatch(await new Response(child.stderr).text(), /^coracle: an argument is no UTF-8 text/);
      assertEquals(await child.exited, 2);
    }
    assertEquals(await printed("ls", "one/a", "--keys-only"), "one/a\n");
  });

  test("a file that cannot be written is told, and no folder is made for it", async () => {
    await printed("put", "one/f", "x");
    const into = await coracle(["get", "one/f", "--file", folder.path]);
    assertEquals([into.code, into.stderr], [
      1,
      `coracle: ${folder.path} cannot be written: it is a folder\n`,
    ]);
    const nowhere = join(folder.path, "nope", "f");
    const { code, stderr } = await coracle(["get", "one/f", "--file", nowhere]);
    assertEquals([code, stderr], [
      1,
      `coracle: ${nowhere} cannot be written: there is no such file or folder\n`,
    ]);
    assertEquals(await readdir(join(folder.path, "nope")).catch(() => "none"), "none");
  });

  test("a prefix goes at once", async () => {
    for (const name of ["x", "y", "z"]) await printed("put", `gone/${name}`, name);
    assertEquals(JSON.parse(await printed("del", "--prefix", "gone/", "--json")).deleted, 3);
    assertEquals(await printed("ls", "--keys-only", "--prefix", "gone/"), "");
  });
});

describe("ls", () => {
  test("keys in order, forwards and backwards, limited, and as JSON", async () => {
    for (const name of ["b", "a", "c"]) await printed("put", `list/${name}`, name);
    assertEquals(await printed("ls", "list/", "--keys-only"), "list/a\nlist/b\nlist/c\n");
    assertEquals(
      await printed("ls", "--prefix", "list/", "--keys-only", "--reverse", "--limit", "2"),
      "list/c\nlist/b\n",
    );
    assertMatch(await printed("ls", "list/"), /^list\/a\t1 B\trevision \d+\ttext\/plain/);
    const { items, revision } = JSON.parse(await printed("ls", "list/", "--json"));
    assertEquals(items.map((item: { value: string }) => item.value), ["a", "b", "c"]);
    assert(revision > 0);
    assertEquals(JSON.parse(await printed("ls", "no-such/", "--json")).items, []);
  });
});

describe("import and export", () => {
  const files: Readonly<Record<string, Uint8Array>> = {
    "index.html": new TextEncoder().encode("<p>ahoy"),
    "deep/er/data.json": new TextEncoder().encode("{}"),
    "deep/bytes": Uint8Array.of(0, 255, 128, 10),
    "empty": new Uint8Array(),
    "name with blanks & ü": new TextEncoder().encode("ü"),
  };

  async function makeTree(): Promise<string> {
    const tree = join(folder.path, "tree");
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(join(tree, name, ".."), { recursive: true });
      await writeFile(join(tree, name), bytes);
    }
    return tree;
  }

  async function assertSameTree(path: string): Promise<void> {
    const found = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile()
    );
    assertEquals(found.length, Object.keys(files).length);
    for (const [name, bytes] of Object.entries(files)) {
      assertEquals(new Uint8Array(await Bun.file(join(path, name)).bytes()), bytes);
    }
  }

  test("a tree goes in and comes out as folder and as lines, types kept", async () => {
    const tree = await makeTree();
    assertMatch(await printed("import", tree, "--prefix", "t/"), /^imported 5 \(\d+ B\) in /);
    assertMatch((await node.fetch("/v1/kv/t/index.html")).headers.get("content-type") ?? "", /^text\/html/);
    assertEquals((await coracle(["export", join(folder.path, "out"), "--prefix", "t/"])).code, 0);
    await assertSameTree(join(folder.path, "out"));

    const lines = join(folder.path, "out.jsonl");
    assertEquals((await coracle(["export", lines, "--prefix", "t/"])).code, 0);
    assertEquals(JSON.parse(await printed("import", lines, "--prefix", "u/", "--json")).imported, 5);
    assertMatch((await node.fetch("/v1/kv/u/index.html")).headers.get("content-type") ?? "", /^text\/html/);
    assertEquals((await coracle(["export", join(folder.path, "out2"), "--prefix", "u/"])).code, 0);
    await assertSameTree(join(folder.path, "out2"));
  });

  test("--skip-existing leaves what is there, stdin and stdout carry lines", async () => {
    await printed("put", "s/a", "old");
    const stdin = '{"key":"a","value":"new"}\n\n{"key":"b","value":"AP8=","encoding":"base64"}\n';
    const { code, stdout } = await coracle(["import", "-", "--prefix", "s/", "--skip-existing", "--json"], {
      stdin,
    });
    const { imported, skipped } = JSON.parse(stdout);
    assertEquals([code, imported, skipped], [0, 1, 1]);
    const exported = (await coracle(["export", "-", "--prefix", "s/"])).stdout.trimEnd().split("\n").map((
      line,
    ) => JSON.parse(line));
    assertEquals(exported.map(({ key, value }) => [key, value]), [["a", "old"], ["b", "AP8="]]);
  });

  test("an export that breaks off leaves the one before as it was", async () => {
    await printed("put", "e/a", "1");
    const lines = join(folder.path, "kept.jsonl");
    assertEquals((await coracle(["export", lines, "--prefix", "e/"])).code, 0);
    const before = await Bun.file(lines).text();
    assertMatch(before, /"e?a"/);
    const item = { key: "e/b", value: "2", encoding: "utf8", contentType: "text/plain" };
    await using dying = scripted(
      () =>
        Response.json({
          revision: 1,
          cursor: "on",
          items: [{ ...item, revision: 1, createRevision: 1, version: 1 }],
        }),
      problem(501, "not_implemented"),
    );
    const broken = await coracle(["export", lines, "--prefix", "e/", "--url", dying.url]);
    assertEquals([broken.code, dying.seen.length], [1, 2], broken.stderr);
    assertEquals(await Bun.file(lines).text(), before);
    assertEquals((await readdir(folder.path)).filter((name) => name.startsWith("kept.jsonl")), [
      "kept.jsonl",
    ]);
  });

  test("bytes that are no text, and half a character, are reported, never repaired", async () => {
    const line = (value: string) => new TextEncoder().encode(`{"key":"k","value":"${value}"}\n`);
    const stdin = Buffer.concat([
      ...[line("a"), Buffer.from('{"key":"bad","value":"'), Buffer.of(0xff, 0xfe), Buffer.from('"}\n')],
      ...[Buffer.from('{"key":"half","value":"\\ud800"}\n'), line("é")],
    ]);
    const { code, stderr } = await coracle(["import", "-", "--prefix", "raw/"], {
      stdin: new Uint8Array(stdin),
    });
    assertEquals(code, 1);
    assertMatch(
      stderr,
      /line 2: it is no UTF-8 text\n.*line 3: .*no Unicode text\n.*2 could not be imported/,
    );
    assertEquals(await printed("ls", "raw/", "--keys-only"), "raw/k\n");
  });

  test("links to files are followed, what else is no file is named", async () => {
    const tree = join(folder.path, "linked");
    await mkdir(join(tree, "sub"), { recursive: true });
    await writeFile(join(tree, "sub", "file"), "ahoy");
    await symlink("sub/file", join(tree, "link"));
    await symlink("sub", join(tree, "folder"));
    await symlink(".", join(tree, "sub", "circle"));
    await symlink("nowhere", join(tree, "broken"));
    const { code, stdout, stderr } = await coracle(["import", tree, "--prefix", "l/"]);
    assertEquals(code, 0, stderr);
    assertMatch(stdout, /^imported 2 /);
    assertMatch(stderr, /^left out 3, which are no files:\n/);
    const { leftOut } = JSON.parse(await printed("import", tree, "--prefix", "l/", "--json"));
    assertEquals(leftOut, [
      { name: join(tree, "broken"), reason: "a link that leads nowhere: there is no such file or folder" },
      { name: join(tree, "folder"), reason: "a link to a folder" },
      { name: join(tree, "sub", "circle"), reason: "a link to a folder" },
    ]);
    assertEquals(await printed("get", "l/link"), "ahoy");
    assertEquals(await printed("ls", "l/", "--keys-only"), "l/link\nl/sub/file\n");
  });

  test("what cannot be moved is reported, the rest is", async () => {
    const bad = await coracle(["import", "-", "--prefix", "bad/"], {
      stdin: '{"key":"ok","value":"1"}\nnonsense\n',
    });
    assertEquals(bad.code, 1);
    assertMatch(bad.stderr, /line 2: .*\n.*1 could not be imported/);
    assertEquals(await printed("get", "bad/ok"), "1");
    await printed("put", "bad/../up", "x");
    const out = await coracle(["export", join(folder.path, "out3"), "--prefix", "bad/"]);
    assertEquals(out.code, 1);
    assertMatch(out.stderr, /bad\/\.\.\/up: the key is no path of a file/);
    assertEquals(await Bun.file(join(folder.path, "out3", "ok")).text(), "1");
  });
});

describe("status", () => {
  test("says who leads, for people and as JSON", async () => {
    assertMatch(
      await printed("status"),
      /^cluster \w+ · leader n1 · term \d+ .*1 voters, majority 1\n\nNODE/,
    );
    assertEquals(JSON.parse(await printed("status", "--json")).leader, "n1");
  });

  test("tries the next URL when one refuses", async () => {
    assertMatch(await printed("status", "--url", `http://127.0.0.1:9,${node.url}`), /leader n1/);
  });
});
