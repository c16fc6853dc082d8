// What all routes share, and the small ones: who may ask, how much at once, health, metrics, the cluster.
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome, ReplicaStatus } from "../../lib/replica/api.ts";
import { ELSEWHERE, LOOPBACK, problemOf, testApp } from "./support.ts";

describe("who may ask", () => {
  const showing = (authorization: string) => ({ headers: { Authorization: authorization } });

  test("tokens: several, case of Bearer aside; also asked of loopback clients", async () => {
    const { request } = testApp({ tokens: ["old", "new"] });
    assertEquals((await request("/v1/cluster", showing("Bearer old"), ELSEWHERE)).status, 200);
    assertEquals((await request("/v1/cluster", showing("bearer new"), ELSEWHERE)).status, 200);
    for (const wrong of ["Bearer ne", "Bearer newx", "Bearer ", "Basic new", "new", "Bearer old new"]) {
      assertEquals(await problemOf(await request("/v1/cluster", showing(wrong))), "401 unauthorized");
    }
    const without = await request("/v1/kv/a", { method: "PUT", body: "x" });
    assertEquals(without.headers.get("www-authenticate"), "Bearer");
    assertEquals(await problemOf(without), "401 unauthorized");
    for (const open of ["/livez", "/readyz"]) {
      assertEquals((await request(open, {}, ELSEWHERE)).status, 200);
    }
    assertEquals(await problemOf(await request("/metrics")), "401 unauthorized");
  });

  test("without tokens: loopback only, whatever a header says, unless open", async () => {
    const { request } = testApp();
    for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
      assertEquals((await request("/v1/cluster", {}, { remoteAddress: () => address })).status, 200);
    }
    const pretending = { headers: { "X-Forwarded-For": "127.0.0.1", Forwarded: "for=127.0.0.1" } };
    for (const address of ["10.1.2.3", "fe80::1", "::ffff:10.0.0.1", "1127.0.0.1", "127.0.0.1.evil", null]) {
      const response = await request("/v1/cluster", pretending, { remoteAddress: () => address });
      assertEquals(await problemOf(response), "403 forbidden");
    }
    assertEquals((await testApp({ open: true }).request("/v1/cluster", {}, ELSEWHERE)).status, 200);
  });

  test("without tokens: only by a name that no stranger can point here", async () => {
    const { app } = testApp();
    const asked = (host: string, bindings = LOOPBACK) =>
      app.request(`http://${host}/v1/cluster`, {}, bindings);
    const own = [
      "127.0.0.1",
      "127.0.0.1:8080",
      "[::1]:8080",
      "10.0.0.1",
      "localhost:8080",
      "n1.localhost",
      "one",
    ];
    for (const host of own) assertEquals((await asked(host)).status, 200, host);
    for (
      const host of [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "h",
      ]
    ) {
      assertEquals(await problemOf(await asked(host)), "403 forbidden", host);
    }
    assertEquals((await app.request("http://evil.example/livez", {}, LOOPBACK)).status, 200);
    assertEquals(
      (await testApp({ open: true }).app.request("http://any.example/v1/cluster", {}, ELSEWHERE)).status,
      200,
    );
    const token = { headers: { Authorization: "Bearer t" } };
    assertEquals(
      (await testApp({ tokens: ["t"] }).app.request("http://any.example/v1/cluster", token)).status,
      200,
    );
  });

  test("a browser's page of another site may not post", async () => {
    const { request, replica } = testApp();
    const foreign: Record<string, string>[] = [
      { "Sec-Fetch-Site": "cross-site" },
      { Origin: "http://evil.example" },
      { Origin: "http://localhost:3000" },
      { Origin: "null" },
    ];
    for (const headers of foreign) {
      const post = { method: "POST", headers };
      assertEquals(await problemOf(await request("/v1/cluster/leader", post)), "403 forbidden");
    }
    assertEquals(replica.transferred, []);
    const own = { method: "POST", headers: { Origin: "http://localhost", "Sec-Fetch-Site": "same-origin" } };
    assertEquals((await request("/v1/cluster/leader", own)).status, 200);
  });
});

describe("how much at once", () => {
  const put = (body: string) => ({ method: "PUT", body, headers: { "Content-Length": String(body.length) } });

  test("open requests are bounded; health is answered still", async () => {
    const { request, replica } = testApp({ maxOpenRequests: 2 });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    replica.nextOutcome = promise;
    const waiting = [request("/v1/kv/a", put("x")), request("/v1/kv/b", put("x"))];
    await Bun.sleep(0);
    assertEquals(await problemOf(await request("/v1/kv/c", put("x"))), "503 overloaded");
    assertEquals((await request("/livez")).status, 200);
    resolve({ type: "refused", reason: "no_leader" });
    await Promise.all(waiting);
    replica.nextOutcome = null;
    assertEquals((await request("/v1/kv/c", put("x"))).status, 201);
  });

  test("bytes of bodies are bounded, and counted before they are read", async () => {
    const { request, replica } = testApp({ maxBodyBytes: 1000, maxValueBytes: 1000 });
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    replica.nextOutcome = promise;
    const waiting = request("/v1/kv/a", put("x".repeat(600)));
    await Bun.sleep(0);
    assertEquals(await problemOf(await request("/v1/kv/b", put("x".repeat(600)))), "503 overloaded");
    const chunked = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(100));
      },
    });
    const streamed = await request("/v1/kv/b", { method: "PUT", body: chunked });
    assertEquals(await problemOf(streamed), "503 overloaded");
    resolve({ type: "refused", reason: "no_leader" });
    await waiting;
    replica.nextOutcome = null;
    // All that was reserved has been given back, also by those that were refused.
    assertEquals((await request("/v1/kv/b", put("x".repeat(1000)))).status, 201);
    assertStringIncludes(await (await request("/metrics")).text(), "coracle_http_body_bytes 0\n");
  });
});

test("a body may come in very many pieces", async () => {
  const { request } = testApp({ maxValueBytes: 1_000_000 });
  let left = 1_000_000;
  const crumbs = new ReadableStream<Uint8Array>({
    pull(controller) {
      for (let at = 0; at < 1000; at++) controller.enqueue(new Uint8Array(1));
      left -= 1000;
      if (left === 0) controller.close();
    },
  });
  assertEquals((await request("/v1/kv/a", { method: "PUT", body: crumbs })).status, 201);
});

test("the front page escapes what it shows", async () => {
  const node = { id: "n1", version: '<script>"', advertise: "http://one:8080", region: null };
  const front = await testApp({ node }).request("/");
  assertStringIncludes(await front.text(), "Version &lt;script&gt;&quot;.");
});

describe("routes", () => {
  test("unknown ones are 404, wrong methods 405 with Allow", async () => {
    const { request } = testApp();
    for (const path of ["/nothing", "/v1", "/v2/kv/a", "/v1/kvx", "/%761/kv/a", "/v1/cluster/", "/livez/x"]) {
      assertEquals(await problemOf(await request(path)), "404 not_found", path);
    }
    const table: [method: string, path: string, allow: string][] = [
      ["POST", "/v1/kv/a", "GET, PUT, DELETE, HEAD"],
      ["PATCH", "/v1/kv/a", "GET, PUT, DELETE, HEAD"],
      ["OPTIONS", "/v1/kv/a", "GET, PUT, DELETE, HEAD"],
      ["PUT", "/v1/cluster", "GET, HEAD"],
      ["GET", "/v1/cluster/leader", "POST"],
      ["POST", "/livez", "GET, HEAD"],
      ["GET", "/v1/txn", "POST"],
    ];
    for (const [method, path, allow] of table) {
      const response = await request(path, { method });
      assertEquals(response.headers.get("allow"), allow);
      assertEquals(await problemOf(response), "405 method_not_allowed", `${method} ${path}`);
    }
  });

  test("changes of the members are read strictly and handed to the replica; what became of them is told", async () => {
    const { request, replica } = testApp();
    const ask = async (method: string, path: string, body?: unknown) => {
      const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
      const response = await request(path, init);
      return response.ok ? await response.json() : await problemOf(response);
    };
    const configuration = { voters: ["n1~a", "n2~b"], outgoing: ["n1~a"], learners: [] };
    replica.nextAdmin = { ok: true, configuration: { index: 7, configuration }, leaderId: "n1~a" };
    const told = { index: 7, joint: true, voters: ["n1", "n2"], outgoing: ["n1"], learners: [] };
    const addition = { id: "n2", url: "http://127.0.0.1:1", incarnation: "b", role: "learner" };
    assertEquals(await ask("POST", "/v1/cluster/members", addition), told);
    assertEquals(await ask("DELETE", "/v1/cluster/members/n2~b?force=true"), told);
    const configure = { method: "PUT", body: '{"voters":["n1"]}', headers: { "if-match": '"7"' } };
    assertEquals(await (await request("/v1/cluster/configuration", configure)).json(), told);
    assertEquals(await ask("PUT", "/v1/cluster/configuration", { voters: ["n1"] }), told);
    assertEquals(replica.administered, [
      { type: "add", ...addition, role: "learner", force: false },
      { type: "remove", id: "n2~b", force: true },
      { type: "configure", voters: ["n1"], learners: [], ifIndex: 7, force: false },
      { type: "configure", voters: ["n1"], learners: [], ifIndex: null, force: false },
    ]);
    const codes = {
      invalid: "400 invalid_request",
      not_found: "404 not_found",
      conflict: "409 conflict",
      changed: "412 precondition_failed",
      unavailable: "503 unavailable",
      unknown: "504 outcome_unknown",
    } as const;
    for (const [reason, shown] of Object.entries(codes)) {
      replica.nextAdmin = { ok: false, reason: reason as keyof typeof codes, detail: "so it is" };
      assertEquals(await ask("DELETE", "/v1/cluster/members/n2"), shown);
    }
    const asked = replica.administered.length;
    assertEquals(await ask("DELETE", "/v1/cluster/members/n2?force=perhaps"), "400 invalid_request");
    assertEquals(await ask("DELETE", "/v1/cluster/members/a%20b"), "400 invalid_request");
    assertEquals(await ask("POST", "/v1/cluster/members", { id: "" }), "400 invalid_request");
    assertEquals(await ask("PUT", "/v1/cluster/configuration", { voters: "n1" }), "400 invalid_request");
    for (const url of ["ftp://n2", "n2:8080", "http://", "", "javascript:1"]) {
      assertEquals(await ask("POST", "/v1/cluster/members", { id: "n2", url }), "400 invalid_request", url);
    }
    for (const tag of ["7", '"x"', 'W/"7"']) {
      const headers = { "if-match": tag };
      const answer = await request("/v1/cluster/configuration", { ...configure, headers });
      assertEquals(await problemOf(answer), "400 invalid_request", tag);
    }
    assertEquals(await ask("DELETE", "/v1/cluster/members/n2?timeout=soon"), "400 invalid_request");
    assertEquals(replica.administered.length, asked);
  });

  test("what is wrong with a body is said in words", async () => {
    const { request } = testApp();
    const said = async (body: unknown) => {
      const init = { method: "POST", body: JSON.stringify(body) };
      return (await (await request("/v1/cluster/members", init)).json()).detail;
    };
    assertEquals(await said({ id: "n2", rank: 1 }), 'There is no field "rank" here.');
    assertEquals(await said({}), 'The field "id" is missing.');
    assertEquals(await said({ id: 7 }), "id: a text is expected.");
    assertEquals(await said({ id: "n/2" }), "id: 1 to 64 of A-Z a-z 0-9 . _ - are expected.");
    assertEquals(await said({ id: "n2", role: "king" }), "role: voter or learner is expected.");
    assertEquals(await said("n2"), "The body is not a JSON object.");
  });

  test("a change of the members waits as long as is asked for, 5 s at most", async () => {
    const { request, replica } = testApp();
    replica.picture = { role: "follower", leaderId: null };
    for (const [timeout, most] of [["", 5000], ["?timeout=300ms", 300], ["?timeout=60s", 5000]] as const) {
      replica.timeouts.length = 0;
      await request(`/v1/cluster/members/n2${timeout}`, { method: "DELETE" });
      await request(`/v1/cluster/leader${timeout}`, { method: "POST", body: "{}" });
      for (const given of replica.timeouts) {
        assert(given <= most && given > most - 300, `${timeout}: ${given}`);
      }
      assertEquals(replica.timeouts.length, 2);
    }
  });

  test("what api.md names and is not built yet is 501", async () => {
    const { request } = testApp();
    const table = [
      "POST /v1/txn",
      "GET /v1/watch?prefix=a/",
      "POST /v1/leases",
      "GET /v1/leases/1",
      "DELETE /v1/leases/1",
      "POST /v1/leases/1/keepalive",
      "POST /v1/locks/x",
      "DELETE /v1/locks/x?token=1",
      "GET /v1/backup",
      "GET /openapi.json",
    ];
    for (const line of table) {
      const [method = "", path = ""] = line.split(" ");
      assertEquals(await problemOf(await request(path, { method })), "501 not_implemented", line);
    }
  });

  test("the front page says who this is", async () => {
    const front = await testApp().request("/");
    assertStringIncludes(front.headers.get("content-type") ?? "", "text/html");
    assertStringIncludes(await front.text(), "Coracle, node n1");
  });

  test("health", async () => {
    const { request, replica } = testApp();
    assertEquals([(await request("/livez")).status, (await request("/readyz")).status], [200, 200]);
    replica.picture = { ready: false, phase: "forming", waitingFor: "waiting for n2 and n3" };
    assertEquals((await request("/livez")).status, 200);
    assertEquals((await (await request("/readyz")).json()).detail, "waiting for n2 and n3");
    replica.picture = { ready: false };
    assertEquals(await problemOf(await request("/readyz")), "503 unavailable");
  });

  test("a failed replica answers nothing but 503", async () => {
    const { request, replica } = testApp();
    replica.picture = { phase: "failed" };
    for (const path of ["/v1/kv/a", "/v1/kv", "/v1/cluster", "/livez", "/readyz", "/metrics", "/v1/txn"]) {
      assertEquals(await problemOf(await request(path)), "503 unavailable", path);
    }
    assertEquals(
      await problemOf(await request("/v1/kv/a", { method: "PUT", body: "x" })),
      "503 unavailable",
    );
  });

  test("an error inside is a 500 that tells nothing of it, and a line in the log", async () => {
    const { request, replica, logged } = testApp();
    replica.query = () => {
      throw new Error("secret inner detail");
    };
    const response = await request("/v1/kv/a");
    assert(!(await response.clone().text()).includes("secret"));
    assertEquals(await problemOf(response), "500 internal");
    assertEquals(logged, ["error: an error in a route"]);
  });

  test("metrics", async () => {
    const { request } = testApp({ traffic: () => ({ sent: 5, dropped: 1, received: 4 }) });
    await request("/v1/kv/a", { method: "PUT", body: "x" });
    await request("/v1/kv/a");
    const response = await request("/metrics");
    assertStringIncludes(response.headers.get("content-type") ?? "", "text/plain");
    const text = await response.text();
    for (
      const line of [
        'coracle_role{role="leader"} 1',
        "coracle_term 3",
        'coracle_index{kind="applied"} 2',
        'coracle_peer_messages_total{kind="dropped"} 1',
        'coracle_http_request_seconds_count{route="/v1/kv",method="PUT",status="201"} 1',
        'coracle_http_request_seconds_bucket{le="+Inf",route="/v1/kv",method="GET",status="200"} 1',
        "# TYPE coracle_fsync_seconds histogram",
        'coracle_memory_bytes{kind="resident"}',
        'coracle_writes_total{ending="refused"} 0',
        "process_cpu_seconds_total ",
      ]
    ) assertStringIncludes(text, line);
  });
});

describe("the cluster", () => {
  const THREE: Partial<ReplicaStatus> = {
    configuration: {
      index: 7,
      configuration: { voters: ["n1~a", "n2~b"], outgoing: [], learners: ["n3~c"] },
    },
    lastIndex: 20,
    durableIndex: 19,
    appliedIndex: 18,
    peers: [{
      id: "n2~b",
      matchIndex: 15,
      nextIndex: 16,
      state: "replicate",
      inflightMessages: 0,
      inflightBytes: 0,
      lastContactMs: 40,
      hasForgotten: false,
    }],
    connected: [{ replica: "n2~b", url: "http://two:8080", version: "1.2.4", lastContactMs: 40 }],
  };

  test("a leader's view", async () => {
    const directory = () => new Map([["n3", { url: "http://three:8080", region: "ams", version: null }]]);
    const { request, replica } = testApp({ directory });
    replica.picture = THREE;
    assertEquals(await (await request("/v1/cluster")).json(), {
      clusterId: "c1",
      term: 3,
      leader: "n1",
      revision: 18,
      configuration: { index: 7, joint: false, voters: ["n1", "n2"], learners: ["n3"] },
      members: [
        {
          id: "n1",
          url: "http://one:8080",
          role: "voter",
          incarnation: "a",
          healthy: true,
          matchIndex: 19,
          lag: 1,
          lastContactMs: 0,
          version: "1.2.3",
        },
        {
          id: "n2",
          url: "http://two:8080",
          role: "voter",
          incarnation: "b",
          healthy: true,
          matchIndex: 15,
          lag: 5,
          lastContactMs: 40,
          version: "1.2.4",
        },
        {
          id: "n3",
          url: "http://three:8080",
          role: "learner",
          region: "ams",
          incarnation: "c",
          healthy: false,
          matchIndex: null,
          lag: null,
          lastContactMs: null,
          version: null,
        },
      ],
    });
  });

  test("joint, leaderless and forming pictures keep their shape", async () => {
    const { request, replica } = testApp();
    const configuration = { voters: ["n1~a"], outgoing: ["n1~a", "n2~b"], learners: [] };
    replica.picture = { leaderId: null, role: "follower", configuration: { index: 9, configuration } };
    const joint = await (await request("/v1/cluster")).json();
    assertEquals(joint.configuration, {
      index: 9,
      joint: true,
      voters: ["n1"],
      outgoing: ["n1", "n2"],
      learners: [],
    });
    assertEquals([joint.leader, joint.members.length, joint.members[0].lag], [null, 2, null]);
    replica.picture = { phase: "forming", clusterId: null, configuration: null, leaderId: null };
    const forming = await (await request("/v1/cluster")).json();
    assertEquals(forming.configuration, { index: null, joint: false, voters: [], learners: [] });
    assertEquals([forming.clusterId, forming.members], [null, []]);
  });

  test("what is going on: who leaves, what waits, who asks, since when one is silent", async () => {
    const { request, replica } = testApp();
    const configuration = { voters: ["n1~a", "n4~d"], outgoing: ["n1~a", "n2~b", "n3~c"], learners: [] };
    replica.picture = {
      configuration: { index: 9, configuration },
      contacts: new Map([["n2~b", { agoMs: 61_000.4, url: "http://two:1", version: "1.2.4" }]]),
      watchedMs: 90_000,
      changes: [{ what: "remove n3", begun: false, why: "another change of the members is running" }],
      applicants: [{ replica: "n5~e", role: "voter", refused: true, why: "taken" }],
      bringUps: [{ replica: "n4~d", rounds: 12, lag: 7000, caughtUp: false, cannotKeepUp: true }],
    };
    const { members, changes, applicants } = await (await request("/v1/cluster")).json();
    assertEquals([members[2].url, members[2].version], ["http://two:1", "1.2.4"]);
    const fields = ({ id, leaving, lastContactMs, watchedMs, bringUp }: Record<string, unknown>) => [
      ...[id, leaving ?? false, lastContactMs, watchedMs ?? 0, bringUp ?? ""],
    ];
    assertEquals(members.map(fields), [
      ["n1", false, 0, 0, ""],
      ["n4", false, null, 90_000, "cannot keep up with what is written: round 13, 7000 entries behind"],
      ["n2", true, 61_000, 0, ""],
      ["n3", true, null, 90_000, ""],
    ]);
    assertEquals(changes, replica.picture.changes);
    assertEquals(applicants, [{ id: "n5", incarnation: "e", role: "voter", refused: true, why: "taken" }]);
  });

  test("handing over", async () => {
    const { request, replica } = testApp();
    replica.picture = THREE;
    const post = (body: string) => request("/v1/cluster/leader", { method: "POST", body });
    assertEquals((await (await post('{"to":"n2"}')).json()).to, "n2");
    assertEquals((await (await post("")).json()).to, "n2");
    assertEquals((await (await post('{"to":"n1"}')).json()).to, "n1");
    assertEquals(replica.transferred, ["n2~b", null]);
    for (const wrong of ["{", "[]", '{"to":7}', '{"whom":"n2"}', '{"to":"n3"}', '{"to":"nobody"}']) {
      assertEquals(await problemOf(await post(wrong)), "400 invalid_request", wrong);
    }
    replica.picture = { ...THREE, role: "follower", leaderId: "n2~b" };
    const elsewhere = await post('{"to":"n2"}');
    assertEquals(elsewhere.headers.get("coracle-leader"), "n2");
    assertEquals(await problemOf(elsewhere), "503 unavailable");
  });

  test("redirect: a follower sends writes to the leader's URL, reads stay", async () => {
    const directory = () => new Map([["n2", { url: "http://two:8080/", region: null, version: null }]]);
    const { request, replica } = testApp({ directory, leaderRouting: "redirect" });
    replica.picture = { ...THREE, role: "follower", leaderId: "n2~b" };
    const moved = await request("/v1/kv/a%20b/c?timeout=5s", { method: "PUT", body: "x" }, LOOPBACK);
    assertEquals(moved.status, 307);
    assertEquals(moved.headers.get("location"), "http://two:8080/v1/kv/a%20b/c?timeout=5s");
    assertEquals(moved.headers.get("coracle-leader"), "n2");
    assertEquals((await request("/v1/kv?prefix=a", { method: "DELETE" })).status, 307);
    assertEquals(await problemOf(await request("/v1/kv/a")), "404 not_found");
    replica.picture = { ...THREE, role: "follower", leaderId: "n3~c" };
    assertEquals((await request("/v1/kv/a", { method: "PUT", body: "x" })).status, 201);
    assertEquals(replica.index, 2);
  });
});
