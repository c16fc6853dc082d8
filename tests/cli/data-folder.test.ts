// `coracle serve` on data folders that are not what they should be: exit 1, one line, what and how to mend it.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, test } from "bun:test";
import { cp, mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCoracle } from "../support/coracle.ts";
import { NodeProcess } from "../support/node-process.ts";
import { tempFolder } from "../support/temp-folder.ts";

async function refused(data: string, flags: readonly string[], said: RegExp): Promise<void> {
  const { code, stdout, stderr } = await runCoracle(["serve", "--port", "0", "--data", data, ...flags]);
  assertMatch(stderr, said);
  const lines = stderr.trimEnd().split("\n").filter((line) => line.startsWith("coracle: "));
  assertEquals([code, stdout, lines.length], [1, "", 1]);
}

/** A folder in which a node has once run; `before` sees it running. */
async function used(
  data: string,
  before: (node: NodeProcess) => Promise<void> = async () => {},
): Promise<void> {
  const node = new NodeProcess({ id: "n1", port: 0, data });
  try {
    await node.start();
    await node.ready();
    await node.fetch("/v1/kv/a", { method: "PUT", body: "1" });
    await before(node);
    assertEquals(await node.stop(), 0);
  } finally {
    await node.kill();
  }
}

describe("a data folder", () => {
  test("of another id is refused, without an --id it keeps its own", async () => {
    await using folder = await tempFolder("cli");
    await used(folder.path);
    await refused(folder.path, ["--id", "n2"], /belongs to node "n1", not to "n2"/);
  });

  test("belongs to one process", async () => {
    await using folder = await tempFolder("cli");
    await used(folder.path, () => refused(folder.path, ["--id", "n1"], /in use by another process/));
  });

  test("with a log that is no database is refused", async () => {
    await using folder = await tempFolder("cli");
    await writeFile(
      join(folder.path, "log.sqlite"),
      "not a database, but long enough to look at".repeat(100),
    );
    await refused(folder.path, [], /log\.sqlite.*not a sound database/);
  });

  test("that has lost its log is found out by the witness", async () => {
    await using folder = await tempFolder("cli");
    await used(folder.path);
    for (const name of ["log.sqlite", "log.sqlite-wal", "log.sqlite-shm"]) {
      await Bun.file(join(folder.path, name)).delete().catch(() => {});
    }
    await refused(folder.path, [], /cannot be used: .*witness/);
  });

  test("with the state of another cluster is refused", async () => {
    await using folder = await tempFolder("cli");
    await used(join(folder.path, "a"));
    await used(join(folder.path, "b"));
    for (const end of ["", "-wal", "-shm"]) {
      const name = `state.sqlite${end}`;
      await Bun.file(join(folder.path, "a", name)).delete().catch(() => {});
      const other = Bun.file(join(folder.path, "b", name));
      if (await other.exists()) await Bun.write(join(folder.path, "a", name), other);
    }
    await refused(join(folder.path, "a"), [], /mixes two data folders: .* is of cluster .* state\.sqlite of/);
  });

  test("with an older copy of its log is refused, and both files are named", async () => {
    await using folder = await tempFolder("cli");
    const data = join(folder.path, "data");
    const older = join(folder.path, "older");
    await used(data);
    await cp(data, older, { recursive: true });
    await used(data);
    for (const name of ["log.sqlite", "log.sqlite-wal", "log.sqlite-shm", "witness"]) {
      await rm(join(data, name), { force: true });
      if (await Bun.file(join(older, name)).exists()) await cp(join(older, name), join(data, name));
    }
    await refused(
      data,
      [],
      /mixes two data folders: log\.sqlite ends with entry \d+, state\.sqlite has applied/,
    );
  });

  test("is for its owner only, files included, also where the folder was there before", async () => {
    await using folder = await tempFolder("cli");
    const there = join(folder.path, "there");
    await mkdir(there, { mode: 0o755 });
    for (const data of [there, join(folder.path, "made", "by us")]) {
      await used(data, async () => {
        const files = await readdir(data);
        assert(files.length >= 3, files.join());
        for (const file of files) assertEquals((await stat(join(data, file))).mode & 0o777, 0o600, file);
      });
    }
    for (const made of ["made", "made/by us"]) {
      assertEquals((await stat(join(folder.path, made))).mode & 0o777, 0o700);
    }
  });

  test("with a folder where a file should be is told in one line", async () => {
    await using folder = await tempFolder("cli");
    await mkdir(join(folder.path, "witness"));
    await refused(folder.path, [], /^coracle: EISDIR/m);
  });

  test("that cannot be made is refused", async () => {
    await using folder = await tempFolder("cli");
    await writeFile(join(folder.path, "file"), "");
    await refused(join(folder.path, "file"), [], /is not a folder/);
  });
});

test("a taken port is named", async () => {
  await using folder = await tempFolder("cli");
  const holder = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  try {
    const { code, stderr } = await runCoracle([
      "serve",
      "--port",
      String(holder.port),
      "--data",
      folder.path,
    ]);
    assertMatch(stderr, new RegExp(`^coracle: port ${holder.port} on 127.0.0.1 is taken`, "m"));
    assertEquals(code, 1);
  } finally {
    holder.stop(true);
  }
});
