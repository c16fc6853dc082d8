// Exit codes and the one line that says what is wrong: flags, variables, unknown and not yet built commands.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe, test } from "bun:test";
import { runCoracle } from "../support/coracle.ts";

type Case = readonly [args: string, code: number, said: RegExp, env?: Record<string, string>];

const wrong: readonly Case[] = [
  ["", 2, /Usage: coracle/],
  ["sail", 2, /unknown command 'sail'/],
  ["help sail", 2, /there is no command 'sail'/],
  ["get", 2, /missing required argument 'key'/],
  ["get a b", 2, /too many arguments/],
  ["put a b --speed 3", 2, /unknown option '--speed'/],
  ["put a b --file c", 2, /a value or --file/],
  ["put a b --if-match seven", 2, /--if-match "seven".*revision/],
  ["del", 2, /a key or --prefix/],
  ["del a --all", 2, /a key or --prefix or --all/],
  ["del --prefix=", 2, /--prefix "" would delete every key: give --all/],
  ["put a", 2, /give a value \(\"\" for an empty one\) or --file, or pipe/],
  ["put a b --content-type x\ny", 2, /^coracle: content-type must be one line of plain text$/m],
  ["get a --token a\nb", 2, /^coracle: the token must be one line of plain text$/m],
  ["export /proc/x.jsonl", 1, /\/proc\/x\.jsonl cannot be written: there is no such file or folder/],
  ["serve --data /proc/x", 1, /data folder \/proc\/x cannot be made there/],
  [`serve --data ${"x".repeat(300)}`, 1, /has too long a name/],
  ["serve", 1, /data folder \/proc\/z cannot be made there/, { DATA_DIR: "/proc/z" }],
  ["ls --json --url http://127.0.0.1:9", 1, /no node answers/],
  ["ls --limit many", 2, /--limit "many": a whole number/],
  ["get a --url ftp://x", 2, /--url "ftp:\/\/x": a URL/],
  ["get a", 2, /CORACLE_URL "nowhere": a URL/, { CORACLE_URL: "nowhere" }],
  ["import ./LICENSE", 2, /neither a folder nor a .jsonl/],
  ["import ./no-such-place", 1, /no such file or folder/],
  ["get a --url http://127.0.0.1:9", 1, /no node answers at http:\/\/127.0.0.1:9 .*refused/],
  ["serve --port 99999", 2, /--port "99999": a whole number from 0 to 65535/],
  ["serve", 2, /PORT "http": a whole number/, { PORT: "http" }],
  ["serve --id a/b", 2, /--id "a\/b": 1 to 64/],
  ["serve --peers n1", 2, /--peers "n1": "n1" is not of the form/],
  ["serve --peers n1=http://a:1,n1=http://b:1", 2, /n1 stands in it twice/],
  ["serve --advertise over-there", 2, /--advertise "over-there": a URL/],
  ["serve --log-format xml", 2, /one of text, json/],
  ["serve --heartbeat-ms 400", 2, /less than twice --heartbeat-ms/],
  [
    "serve --host 0.0.0.0 --id n1 --peers n1=http://10.0.0.1:1",
    2,
    /beyond loopback: give --token, or --open/,
  ],
  ["serve --host 0.0.0.0 --id n1 --token t --peers n2=http://10.0.0.2:1", 2, /need --secret/],
  ["serve --id n1 --peers n2=http://10.0.0.2:1", 2, /not on loopback: links to it need --secret/],
  ["serve --host 0.0.0.0 --open --id n1", 2, /give --advertise/],
  ["serve --join somewhere", 2, /--join "somewhere": URLs such as/],
  ["serve", 2, /JOIN "x,y": URLs such as/, { JOIN: "x,y" }],
  ["serve --join http://10.0.0.2:1 --id n1", 2, /links to it need --secret/],
  ["serve --role learner", 2, /--role learner needs a cluster to follow: give --join/],
  ["serve --discover x", 2, /--discover "x": dns:name or dns:name:port/],
  ["serve --expect 3", 2, /--expect goes with --discover/],
  ["serve --remove-dead-after 1s", 2, /--remove-dead-after is less than 3 election timeouts \(1500 ms\)/],
  ["serve --secret short", 2, /--secret is too short: at least 8 characters/],
  ["serve --host 0.0.0.0 --id n1 --token t --peers n2=http://10.0.0.2:1 --secret=", 2, /need --secret/],
  ["serve --id n1 --peers n2=http://10.0.0.2:1", 2, /links to it need --secret/, { CLUSTER_SECRET: "  " }],
  ["serve --max-value-bytes 4194304", 2, /--max-value-bytes 4194304 needs --election-ms 1000: /],
  ["serve --remove-dead-after soon", 2, /--remove-dead-after "soon": a time such as/],
  ["serve --remove-dead-after 0s", 2, /--remove-dead-after "0s": a time such as/],
  // Fine as far as that goes: the next thing is wrong.
  ["serve --remove-dead-after 1.5h --log-level x", 2, /--log-level "x"/],
  ["simulate --runs many", 2, /--runs "many": a whole number from 1/],
  ["simulate --minutes 0", 2, /--minutes "0": a number above 0/],
  ["simulate --faults 1,x", 2, /--faults "1,x": numbers such as 0,3,4/],
  ["check - --model tree", 2, /--model "tree": one of kv, counter, list, bank/],
  ["check - --max-steps 0", 2, /--max-steps "0": a whole number from 1/],
  ["check - --accounts {}", 2, /--accounts goes with --model bank/],
  ["maelstrom --log-level x", 2, /--log-level "x": one of debug/],
  ["watch --prefix a/", 1, /coracle watch is not built yet \(not_implemented\)/],
  ["members --url http://127.0.0.1:1", 1, /no node answers/],
  ["add n4 --role king", 2, /--role "king": one of voter, learner/],
  ["add n4 ftp://x", 2, /"ftp:\/\/x" is no URL such as/],
  ["replace n1 n1", 2, /a member cannot take its own place/],
  ["leave --url http://127.0.0.1:9,http://127.0.0.1:10", 2, /give one, or the node's id/],
  ["dev --nodes 0", 2, /--nodes "0"/],
];

describe("wrong usage and refusals", () => {
  for (const [args, code, said, env = {}] of wrong) {
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value} `).join("");
    test(`${variables}coracle ${args} → ${code}`, async () => {
      const result = await runCoracle(args.split(" ").filter((arg) => arg !== ""), { env });
      assertMatch(result.stderr, said);
      assertEquals(result.code, code);
      assertEquals(result.stdout, "");
      if (args !== "") assertEquals(result.stderr.trimEnd().split("\n").length, 1);
    });
  }
});

describe("help and version", () => {
  test("--version and version say the same", async () => {
    const [flag, command] = await Promise.all([runCoracle(["--version"]), runCoracle(["version"])]);
    assertMatch(flag.stdout, /^coracle \d+\.\d+\.\d+ \(/);
    assertEquals(flag.stdout, command.stdout);
    assertEquals([flag.code, command.code], [0, 0]);
  });

  test("help serve names every flag and its variable", async () => {
    const { code, stdout } = await runCoracle(["help", "serve"]);
    assertEquals(code, 0);
    for (
      const name of [
        "--id",
        "NODE_ID",
        "--peers",
        "PEERS",
        "--secret",
        "CLUSTER_SECRET",
        "--open",
        "FLY_REGION",
      ]
    ) {
      assertStringIncludes(stdout, name);
    }
  });

  test("a flag wins over its variable, an empty variable is none", async () => {
    const { stderr } = await runCoracle(["serve", "--port", "x"], { env: { PORT: "1", HOST: "" } });
    assertMatch(stderr, /^coracle: --port "x"/);
  });
});
