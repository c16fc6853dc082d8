// What fly.io's environment comes to, and what --discover may be.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { discoveryName } from "../../lib/cli/discovery.ts";
import { Command } from "commander";
import { flyId, withFly } from "../../lib/cli/fly.ts";
import { serveOptions, serveSettings } from "../../lib/cli/serve-options.ts";
import { declare } from "../../lib/cli/settings.ts";
import { tempFolder } from "../support/temp-folder.ts";

const machine = { FLY_APP_NAME: "shop", FLY_MACHINE_ID: "148e1", FLY_REGION: "fra" };

describe("fly.io", () => {
  test("elsewhere nothing is changed", () => {
    assertEquals(withFly({ PORT: "1" }, 1), { PORT: "1" });
    assertEquals(flyId({ FLY_MACHINE_ID: "x" }), null);
  });

  test("a machine's address, its listeners and its discovery follow from its environment", () => {
    const { HOST, ADVERTISE, DISCOVER } = withFly(machine, 9000);
    assertEquals([HOST, ADVERTISE, DISCOVER], [
      "::",
      "http://148e1.vm.shop.internal:9000",
      "dns:shop.internal:9000",
    ]);
    assertEquals(flyId(machine), "148e1");
  });

  test("what people say goes before it", () => {
    const said = { HOST: "10.0.0.1", DISCOVER: "dns:elsewhere", ADVERTISE: "" };
    const { HOST, ADVERTISE, DISCOVER } = withFly({ ...machine, ...said }, 8080);
    assertEquals([HOST, ADVERTISE, DISCOVER], [
      "10.0.0.1",
      "http://148e1.vm.shop.internal:8080",
      "dns:elsewhere",
    ]);
  });

  test("a port given as a flag is the one that others are told", () => {
    const { advertise, discover } = options(["--port", "9100", "--expect", "3"]);
    assertEquals([advertise, discover?.port], ["http://148e1.vm.shop.internal:9100", 9100]);
  });

  test("JOIN or PEERS stand beside discovery, so that EXPECT of fly.toml goes with them", () => {
    for (const further of [{ JOIN: "http://10.0.0.9:8080" }, { PEERS: "148e1=http://10.0.0.9:8080" }]) {
      const { discover, expect } = options(["--expect", "3"], further);
      assertEquals([discover?.name, expect], ["shop.internal", 3]);
    }
  });
});

/** What a machine on fly.io reads from its command line and its environment. */
function options(flags: readonly string[], further: Record<string, string> = {}) {
  const command = declare(new Command(), serveSettings);
  command.parse(["--open", ...flags], { from: "user" });
  return serveOptions(command, { ...machine, CLUSTER_SECRET: "known to replicas", ...further });
}

test("deploy/fly.toml: its processes are command lines of serve, and its metrics a port that no service shows", async () => {
  const text = await Bun.file(new URL("../../deploy/fly.toml", import.meta.url)).text();
  const config = Bun.TOML.parse(text) as {
    readonly env: Record<string, string>;
    readonly processes: Record<string, string>;
    readonly metrics: { readonly port: number; readonly path: string };
    readonly http_service: { readonly internal_port: number };
  };
  for (const line of Object.values(config.processes)) {
    const [serve, ...flags] = line.split(" ");
    const { metricsPort, metricsHost, port } = options(flags, { ...config.env, PORT: "8080" });
    assertEquals([serve, metricsHost, metricsPort], ["serve", "::", config.metrics.port]);
    assertEquals(port, config.http_service.internal_port);
    assert(metricsPort !== port && config.metrics.path === "/metrics");
  }
});

test("deploy/coracle.service is a unit that systemd takes", async () => {
  if (Bun.which("systemd-analyze") === null) return console.log("not run here: there is no systemd-analyze");
  await using folder = await tempFolder("unit");
  const unit = await Bun.file(new URL("../../deploy/coracle.service", import.meta.url)).text();
  // Neither the executable nor its settings are installed here.
  const path = `${folder.path}/coracle.service`;
  await Bun.write(
    path,
    unit.replace("/usr/local/bin/coracle", "/bin/true").replace(/^EnvironmentFile=.*$/m, ""),
  );
  const { exitCode, stderr } = Bun.spawnSync(["systemd-analyze", "verify", "--recursive-errors=no", path]);
  assertEquals([exitCode, stderr.toString()], [0, ""]);
});

test("discovery names", () => {
  assertEquals(discoveryName("dns:a.internal", 8080), { name: "a.internal", port: 8080 });
  assertEquals(discoveryName("dns:a.internal:99", 8080), { name: "a.internal", port: 99 });
  for (const bad of ["a.internal", "dns:", "dns:a:0", "dns:a:70000", "srv:a"]) {
    assertEquals(discoveryName(bad, 1), null);
  }
});
