// `coracle simulate` and the hunt as processes: exit codes, what they print, and that the command they print for a failure
// shows that failure again.
import { afterAll, beforeAll, describe, setDefaultTimeout, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { runTasks } from "../../lib/cli/simulation-workers.ts";
import { commandOf, type RunOptions } from "../../lib/simulation/mod.ts";
import { type ChangedCopy, changedCopy } from "../support/changed-copy.ts";
import { runCoracle } from "../support/coracle.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

setDefaultTimeout(120_000);

const coracle = (...args: string[]) => runCoracle(["simulate", ...args], { deadlineMs: 100_000 });

type Failed = { seed: number; invariant: string; detail: string; command: string; shrunk: string };

/** The arguments behind "coracle " as a shell would split them. */
function argumentsOf(command: string): string[] {
  const [, ...words] = command.match(/'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^'(.*)'$/, "$1"));
}

describe("simulate", () => {
  const short = ["--seed", "1", "--minutes", "0.05"];

  test("a sound run ends with 0 and its last line says what was done", async () => {
    const { code, stdout, stderr } = await coracle(...short);
    assertEquals(code, 0);
    assertMatch(
      stdout,
      /^ok: 1 run, \d+ operations, \d+ faults?, \d+ entries committed, 0\.2 simulated minutes, \d+ per real minute\n$/,
    );
    assertMatch(stderr, /^seed 1: .*, [02-9]\d* leaders|1 leader, /);
  });

  test("as JSON", async () => {
    const { code, stdout } = await coracle(...short, "--runs", "2", "--json");
    const { ok, runs, operations, failures } = JSON.parse(stdout);
    assertEquals([code, ok, runs, failures], [0, true, 2, []]);
    assert(operations > 10);
  });

  test("the trace is the same bytes in another process", async () => {
    const args = ["--seed", "7", "--minutes", "0.1", "--trace"];
    const [one, other] = await Promise.all([coracle(...args), coracle(...args)]);
    assertEquals([one.code, other.code], [0, 0]);
    assert(one.stdout.length > 50_000);
    assertEquals(Bun.hash(one.stdout), Bun.hash(other.stdout));
    assertMatch(one.stdout, /\nok: 1 run, .* simulated minutes\n$/);
  });

  test("runs shared among processes give what one gives", async () => {
    const args = ["--seed", "5", "--minutes", "0.05", "--runs", "6", "--json"];
    const [one, several] = await Promise.all([
      coracle(...args, "--jobs", "1"),
      coracle(...args, "--jobs", "3"),
    ]);
    const told = ({ stdout }: { stdout: string }) => ({ ...JSON.parse(stdout), seconds: null });
    assertEquals([one.code, several.code, several.stderr], [0, 0, one.stderr]);
    assertEquals(told(several), told(one));
  });

  test("a worker does what comes in, and refuses what is no task", async () => {
    const task = { run: { seed: 3, durationMs: 500 }, keys: 6 };
    const { code, stdout } = await runCoracle(["simulate", "--worker"], {
      stdin: `${JSON.stringify(task)}\n`,
    });
    assertEquals([code, JSON.parse(stdout).done.result.options.seed], [0, 3]);
    const wrong = await runCoracle(["simulate", "--worker"], { stdin: "what?\n" });
    assertEquals([wrong.code, wrong.stdout], [2, ""]);
    assertMatch(wrong.stderr, /^coracle: --worker takes tasks of another process/);
  });

  test("many runs without a terminal say how far they are", async () => {
    const { code, stdout, stderr } = await coracle("--seed", "1", "--minutes", "0.01", "--runs", "21");
    assertEquals(code, 0);
    assertMatch(stderr, /^(\d+ of 21 runs\n)*$/);
    assertMatch(stdout, /^ok: 21 runs/);
  });

  test("--faults carries out some, and refuses what is none", async () => {
    const run = ["--seed", "3", "--minutes", "1"];
    const none = JSON.parse((await coracle(...run, "--faults", "none", "--json")).stdout);
    const two = JSON.parse((await coracle(...run, "--faults", "0,1", "--json")).stdout);
    assertEquals([none.faults, two.faults], [0, 2]);
    const { code, stderr } = await coracle(...run, "--faults", "0,99999");
    assertEquals(code, 2);
    assertMatch(stderr, /^coracle: --faults: there is no fault 99999, this run has \d+ from 0\n$/);
    assertEquals((await coracle(...run, "--faults", "0", "--runs", "2")).code, 2);
  });

  test("wrong usage ends with 2", async () => {
    for (
      const args of [["--runs", "0"], ["--nodes", "99"], ["--seed", "x"], ["--minutes", "0"], ["--what"]]
    ) {
      const { code, stdout, stderr } = await coracle(...args);
      assertEquals([code, stdout], [2, ""], args.join(" "));
      assertMatch(stderr, /^coracle: .*\n$/);
    }
  });
});

describe("a scenario file", () => {
  let folder: TempFolder;
  beforeAll(async () => {
    folder = await tempFolder("scenario");
  });
  afterAll(() => folder.remove());

  async function file(scenario: unknown): Promise<string> {
    const path = join(folder.path, "my scenario.json");
    await Bun.write(path, JSON.stringify(scenario));
    return path;
  }

  test("is carried out", async () => {
    const faults = [{ at: 3000, forMs: 1000, type: "crash", node: "leader" }];
    const path = await file({ name: "mine", durationMs: 6000, faults });
    const { code, stdout } = await coracle("--scenario", path, "--seed", "1", "--json");
    assertEquals([code, JSON.parse(stdout).faults], [0, 1]);
  });

  test("that cannot be met fails, and the command shows it again", async () => {
    const faults = [{ at: 1500, forMs: 4000, type: "blackout" }];
    const path = await file({ nodes: 4, durationMs: 9000, faults, mustCommit: [[2000, 5000]] });
    const { code, stdout, stderr } = await coracle(
      "--scenario",
      path,
      "--seed",
      "5",
      "--keys",
      "3",
      "--json",
    );
    assertEquals(code, 1);
    const [failure] = JSON.parse(stdout).failures as Failed[];
    assert(failure !== undefined);
    assertEquals(failure.invariant, "Availability");
    assertMatch(stderr, /seed 5 breaks "Availability": nothing was committed between 2000 and 5000 ms\n/);
    assertMatch(failure.command, /--scenario '.*my scenario.json' --nodes 4 --minutes 0.15 --keys 3$/);
    const shrunk = await runCoracle([...argumentsOf(failure.shrunk), "--json"]);
    assertEquals([shrunk.code, JSON.parse(shrunk.stdout).failures[0].detail], [1, failure.detail]);
  });
});

describe("a failure", () => {
  let broken: ChangedCopy;
  beforeAll(async () => {
    broken = await changedCopy({ patch: "13b-" });
  });
  afterAll(async () => {
    await broken[Symbol.asyncDispose]();
  });

  test("comes with commands that show it again: as it was, and smaller", async () => {
    const flags = ["--seed", "6", "--runs", "10", "--keys", "6", "--minutes", "0.3456"];
    const { code, stdout, stderr } = await broken.coracle(["simulate", ...flags, "--json"]);
    assertEquals(code, 1);
    const { ok, failures: [failure] } = JSON.parse(stdout) as { ok: boolean; failures: Failed[] };
    assert(failure !== undefined && !ok);
    assertMatch(stderr, new RegExp(`show it again: +${failure.command}\n`));
    assertMatch(failure.shrunk, / --keys 6/);
    const again = await broken.coracle([...argumentsOf(failure.command), "--json"]);
    assertEquals([again.code, JSON.parse(again.stdout).failures[0].detail], [1, failure.detail]);
    const smaller = await broken.coracle([...argumentsOf(failure.shrunk), "--trace"]);
    assertEquals(smaller.code, 1);
    const told = /it says: +(.*)/.exec(stderr)?.[1];
    assert(told !== undefined);
    assertMatch(smaller.stdout, new RegExp(`VIOLATION ${failure.invariant}: .*\n`));
    assert(smaller.stdout.includes(`VIOLATION ${failure.invariant}: ${told}`), `${told}`);
    assertMatch(smaller.stdout, /\nFAILED: 1 run, /);
  });

  test("that the hunt finds is told with the workload that it takes, and ends it with 1", async () => {
    // Seeds that 3 divides run on few keys.
    const flags = ["--minutes", "0.05", "--jobs", "1", "--simulated", "0.2", "--seed", "1"];
    const { code, stdout } = await broken.run(["tools/hunt.ts", ...flags]);
    assertEquals(code, 1);
    const found = /seed \d+ breaks "[^"]*": (.*)\n +show it again: +(coracle .* --keys 6)\n/.exec(stdout);
    assert(found?.[1] !== undefined && found[2] !== undefined, stdout);
    const again = await broken.coracle([...argumentsOf(found[2]), "--json"]);
    assertEquals([again.code, JSON.parse(again.stdout).failures[0].detail], [1, found[1]]);
    assertMatch(stdout, /\nhunt: \d+ seeds, .* failures\n$/);
  });
});

test("a command says all that a run was asked for, and nothing else", () => {
  const cases: readonly [options: RunOptions, scenario: string | null, keys: number, command: string][] = [
    [{ seed: 7 }, null, 24, "--seed 7 --nodes 5 --minutes 1"],
    [{ seed: -1, nodes: 3, durationMs: 6258 }, null, 6, "--seed -1 --nodes 3 --minutes 0.1043 --keys 6"],
    [
      { seed: 7, durationMs: 1, keepFaults: [] },
      null,
      24,
      "--seed 7 --nodes 5 --minutes 0.000017 --faults none",
    ],
    [
      { seed: 7, keepFaults: [0, 12], maxOperations: 20 },
      null,
      24,
      "--seed 7 --nodes 5 --minutes 1 --faults 0,12 --operations 20",
    ],
    [
      { seed: 7, nodes: 4, durationMs: 20_000 },
      "it's.json",
      24,
      "--seed 7 --scenario 'it'\\''s.json' --nodes 4 --minutes 0.333333",
    ],
  ];
  for (const [options, scenario, keys, command] of cases) {
    assertEquals(commandOf(options, scenario, keys), `coracle simulate ${command}`);
    const minutes = Number(/--minutes (\S+)/.exec(command)?.[1]);
    assertEquals(Math.round(minutes * 60_000), options.durationMs ?? 60_000);
  }
});

test("in a single process timers have their turn between two runs, so that progress is told", async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const tasks = [1, 2, 3].map((seed) => ({ run: { seed, nodes: 3, durationMs: 1000 }, keys: 6 }));
  try {
    await runTasks({ command: [], jobs: 1, tasks, onDone: () => true });
  } finally {
    clearInterval(timer);
  }
  assert(turns > 0);
});

test("a hunt that finds nothing ends with 0", async () => {
  const root = new URL("../..", import.meta.url).pathname;
  const flags = ["--minutes", "0.03", "--jobs", "2", "--simulated", "0.05", "--seed", "1"];
  const child = Bun.spawn([process.execPath, join(root, "tools/hunt.ts"), ...flags], {
    cwd: root,
    stdout: "pipe",
    timeout: 60_000,
    killSignal: "SIGKILL",
  });
  const output = await new Response(child.stdout).text();
  assertEquals(await child.exited, 0, output);
  assertMatch(output, /^hunt: 0.03 min, 2 processes, seeds from 1\nhunt: [1-9]\d* seeds?, .* 0 failures\n$/);
});
