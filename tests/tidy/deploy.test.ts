// The files under deploy/ name paths, ports and targets of each other and of the house: here they are held against each other.
import { assert, assertEquals } from "@std/assert";
import { describe, test } from "bun:test";
import { join } from "node:path";

const root = new URL("../..", import.meta.url).pathname;
const read = (path: string) => Bun.file(root + path).text();
const [dockerfile, ignored, fly, unit, install, compile] = await Promise.all(
  ["deploy/Dockerfile", "deploy/Dockerfile.dockerignore", "deploy/fly.toml", "deploy/coracle.service"]
    .concat("deploy/install.sh", "compile.sh").map(read),
) as [string, string, string, string, string, string];

type FlyConfig = {
  readonly build: { readonly dockerfile: string; readonly ignorefile: string };
  readonly processes: Readonly<Record<string, string>>;
  readonly mounts: readonly { readonly destination: string; readonly processes: readonly string[] }[];
  readonly http_service: {
    readonly internal_port: number;
    readonly processes: readonly string[];
    readonly checks: readonly { readonly path: string }[];
  };
};

function found(pattern: RegExp, text: string): string {
  const value = pattern.exec(text)?.[1];
  assert(value !== undefined, `nothing matches ${pattern}`);
  return value;
}

describe("deploy", () => {
  const config = Bun.TOML.parse(fly) as FlyConfig;

  test("the image takes the executable that the commands before it make", () => {
    const executable = found(/^ARG EXECUTABLE=(.+)$/m, dockerfile);
    const target = found(/^#\s+\.\/compile\.sh (\S+)$/m, fly);
    assertEquals(executable, `dist/coracle-${target}`);
    assert(compile.includes("out=dist/coracle-$target"));
    assert(dockerfile.includes(`./compile.sh ${target}`));
    // What is not let through is not in the context, and COPY would fail.
    const passes = ignored.split("\n").filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    assert(ignored.split("\n").includes("*"));
    assert(
      passes.some((pattern) => new Bun.Glob(pattern).match(executable)),
      `${passes} lets ${executable} through`,
    );
  });

  test("fly.toml names files beside it, and the image's folder and port", async () => {
    const { dockerfile: image, ignorefile } = config.build;
    for (const name of [image, ignorefile]) assert(await Bun.file(join(root, "deploy", name)).exists(), name);
    assertEquals(config.mounts.map(({ destination }) => destination), [
      found(/\bDATA_DIR=(\S+)/, dockerfile),
    ]);
    assertEquals(String(config.http_service.internal_port), found(/\bPORT=(\d+)/, dockerfile));
    const kinds = Object.keys(config.processes);
    assertEquals(config.mounts[0]?.processes, kinds);
    assertEquals(config.http_service.processes, kinds);
    assertEquals(config.http_service.checks.map(({ path }) => path), ["/readyz"]);
  });

  test("its processes are command lines that serve takes", async () => {
    const help = Bun.spawnSync([process.execPath, `${root}main.ts`, "help", "serve"]).stdout.toString();
    for (const command of Object.values(config.processes)) {
      assertEquals(command.split(" ")[0], "serve");
      for (const [flag] of command.matchAll(/--[\w-]+/g)) {
        assert(help.includes(`${flag} `), `${flag} of "${command}"`);
      }
    }
    const settings = found(/<<'SETTINGS'\n([\s\S]+?)\nSETTINGS/, install);
    const known = await read("lib/cli/serve-options.ts");
    for (const [, variable = ""] of settings.matchAll(/^([A-Z_]+)=/gm)) {
      assert(known.includes(`"${variable}"`), `serve knows no ${variable}`);
    }
  });

  test("the unit starts what install.sh installs, where it may write", () => {
    const executable = found(/^ExecStart=(\S+) serve$/m, unit);
    assert(install.includes(`mv ${executable}.new ${executable}`));
    const settings = found(/^EnvironmentFile=(\S+)$/m, unit);
    assert(install.includes(`cat > ${settings}`));
    assertEquals(found(/\bDATA_DIR=(\S+)/, unit), `/var/lib/${found(/^StateDirectory=(\S+)$/m, unit)}`);
    const user = found(/^User=(\S+)$/m, unit);
    assert(install.includes(`useradd --system --home-dir /var/lib/${user}`));
    assert(install.includes('"$here/coracle.service" /etc/systemd/system/coracle.service'));
  });
});
