// What fly.io's environment comes to, and what --discover may be.
import { assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { discoveryName } from "../../lib/cli/discovery.ts";
import { flyId, withFly } from "../../lib/cli/fly.ts";

const machine = { FLY_APP_NAME: "shop", FLY_MACHINE_ID: "148e1", FLY_REGION: "fra" };

describe("fly.io", () => {
  test("elsewhere nothing is changed", () => {
    assertEquals(withFly({ PORT: "1" }), { PORT: "1" });
    assertEquals(flyId({ FLY_MACHINE_ID: "x" }), null);
  });

  test("a machine's address, its listeners and its discovery follow from its environment", () => {
    const { HOST, ADVERTISE, DISCOVER } = withFly({ ...machine, PORT: "9000" });
    assertEquals([HOST, ADVERTISE, DISCOVER], [
      "::",
      "http://148e1.vm.shop.internal:9000",
      "dns:shop.internal:9000",
    ]);
    assertEquals(flyId(machine), "148e1");
  });

  test("what people say goes before it", () => {
    const { HOST, ADVERTISE, DISCOVER } = withFly({
      ...machine,
      HOST: "10.0.0.1",
      JOIN: "http://x:1",
      ADVERTISE: "",
    });
    assertEquals([HOST, ADVERTISE, DISCOVER], ["10.0.0.1", "http://148e1.vm.shop.internal:8080", undefined]);
  });
});

test("discovery names", () => {
  assertEquals(discoveryName("dns:a.internal", 8080), { name: "a.internal", port: 8080 });
  assertEquals(discoveryName("dns:a.internal:99", 8080), { name: "a.internal", port: 99 });
  for (const bad of ["a.internal", "dns:", "dns:a:0", "dns:a:70000", "srv:a"]) {
    assertEquals(discoveryName(bad, 1), null);
  }
});
