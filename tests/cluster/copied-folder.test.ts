// A data folder that was copied while its node runs: the copy's start looks newer, and must not take the node's place.
import { assert, assertEquals } from "@std/assert";
import { test } from "bun:test";
import { cp } from "node:fs/promises";
import { eventually } from "../support/eventually.ts";
import { withFleet } from "./fleet.ts";

test("while the original lives its copy is linked to nobody, and what was acknowledged is read", async () => {
  await withFleet(async (fleet) => {
    const [n1, n2, n3] = await fleet.form(3);
    assert(n1 !== undefined && n2 !== undefined && n3 !== undefined);
    await fleet.put(n1, "before", "1");
    // Only n1 and n2 have what is acknowledged from now on; the copy is older than that.
    await eventually(async () => (await (await n2.fetch("/v1/kv/before")).text()) === "1", {
      what: "n2 has it",
    });
    await cp(fleet.data("n2"), fleet.data("copy-of-n2"), { recursive: true });
    n3.pause();
    for (const key of ["acked1", "acked2", "acked3"]) await fleet.put(n1, key, "acknowledged");
    await n1.kill();
    const copy = fleet.makeFrom("n2", fleet.data("copy-of-n2"));
    await copy.start();
    n3.resume();
    await eventually(
      () => copy.logLines.some(({ message }) => message.includes("its data folder was copied")),
      {
        deadlineMs: 20_000,
        what: "the copy is told",
      },
    );
    for (const key of ["acked1", "acked2", "acked3"]) {
      const value = await eventually(async () => {
        const response = await n3.fetch(`/v1/kv/${key}`);
        return response.status === 503 ? null : await response.text();
      }, { deadlineMs: 20_000, what: "n3 answers" });
      assertEquals(value, "acknowledged");
    }
    assert(!copy.logLines.some(({ message }) => message.startsWith("linked to")), "the copy is linked");
    await copy.kill();
  });
}, 90_000);
