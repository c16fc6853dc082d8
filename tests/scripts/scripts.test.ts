// Each script in this folder is a story that the core must tell again, word for word. REWRITE=1 writes down what really
// comes out; a rewritten trace is committed only by someone who can explain it.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runScript } from "./interpreter.ts";

const folder = import.meta.dirname;
const scripts = readdirSync(folder).filter((name) => name.endsWith(".txt")).sort();

describe("interaction scripts", () => {
  for (const name of scripts) {
    test(name, () => {
      const path = join(folder, name);
      const text = readFileSync(path, "utf8");
      const output = runScript(text);
      if (process.env["REWRITE"] === "1") writeFileSync(path, output);
      else assertEquals(output, text);
      if (!name.includes("broken")) assertEquals(output.includes("BROKEN"), false, "an invariant broke");
    });
  }
});
