// The listening port: raw sockets that speak HTTP badly, bounds, a taken port, and stopping.
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Client } from "../../lib/client/mod.ts";
import { createApp, ListenError, type RunningServer, startServer } from "../../lib/http/mod.ts";
import type { Outcome } from "../../lib/replica/api.ts";
import { type OneReplica, testApp } from "./support.ts";

const started: RunningServer[] = [];

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop(0);
});

function start(options: Parameters<typeof testApp>[0] & { readonly host?: string } = {}) {
  const { host = "127.0.0.1", ...rest } = options;
  const { app, replica, logged } = testApp(rest);
  const server = listen(app, host);
  return { server, replica, logged, url: `http://127.0.0.1:${server.port}` };
}

function listen(app: ReturnType<typeof createApp>, host: string, port = 0): RunningServer {
  const server = startServer({ host, port, app, links: null, maxValueBytes: 1024 * 1024, log: () => {} });
  started.push(server);
  return server;
}

/** Sends these bytes over a fresh connection; what comes back until `enough` or until the server closes. */
function raw(server: RunningServer, sent: string | Uint8Array, enough: RegExp = /$^/): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let received = "";
  const end = () => resolve(received);
  Bun.connect({
    hostname: "127.0.0.1",
    port: server.port,
    socket: {
      open: (socket) => void socket.write(sent),
      data(socket, bytes) {
        received += bytes.toString();
        if (enough.test(received)) {
          socket.end();
          end();
        }
      },
      close: end,
      error: end,
    },
  }).catch(reject);
  return promise;
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);

async function serves({ url }: { readonly url: string }): Promise<void> {
  assertEquals((await fetch(`${url}/livez`)).status, 200);
}

describe("requests that are not in order", () => {
  test("malformed HTTP gets a 4xx or 5xx and a closed connection; the server lives on", async () => {
    const running = start();
    const table: [sent: string, status: number][] = [
      ["nonsense\r\n\r\n", 400],
      ["GET /v1/kv/a HTTP/1.1\r\n\r\n", 400],
      ["GET /v1/kv/a HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n", 505],
      ["PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: many\r\n\r\n", 400],
      [
        "PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
      ],
      [`GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${"x".repeat(100_000)}\r\n\r\n`, 431],
      [`GET /v1/kv/${"x".repeat(100_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 431],
      [`PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${2 ** 40}\r\n\r\n`, 413],
    ];
    for (const [sent, status] of table) {
      assertEquals(statusOf(await raw(running.server, sent)), status, sent.slice(0, 80));
    }
    await serves(running);
  });

  test("health is answered in HTTP/1.0, without a Host; the rest is not", async () => {
    const { server } = start();
    for (const target of ["/livez", "/readyz", "/readyz?from=haproxy"]) {
      assertEquals(statusOf(await raw(server, `GET ${target} HTTP/1.0\r\n\r\n`)), 200, target);
    }
    assertEquals(statusOf(await raw(server, "HEAD /readyz HTTP/1.0\r\n\r\n")), 200);
    for (const target of ["/v1/kv/a", "/metrics", "/livezz"]) {
      assertEquals(statusOf(await raw(server, `GET ${target} HTTP/1.0\r\n\r\n`)), 400, target);
    }
  });

  test("no usable Host, and a method of no meaning, are problems of ours", async () => {
    const { server } = start();
    const host = await raw(server, "GET /v1/kv/a HTTP/1.1\r\nHost: a b\r\n\r\n", /\}$/);
    assertEquals(statusOf(host), 400);
    assertStringIncludes(host, '"code":"invalid_request"');
    const method = await raw(server, "PROPFIND /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", /\}$/);
    assertEquals(statusOf(method), 405);
    assertStringIncludes(method, "Allow: GET, PUT, DELETE, HEAD");
  });

  test("a value above the limit gets our 413 at once, and the connection goes on", async () => {
    const { url } = start();
    for (const size of [1024 * 1024 + 1, 8 * 1024 * 1024]) {
      const response = await fetch(`${url}/v1/kv/a`, { method: "PUT", body: new Uint8Array(size) });
      assertEquals([response.status, (await response.json()).code], [413, "too_large"]);
    }
    const fits = await fetch(`${url}/v1/kv/a`, { method: "PUT", body: new Uint8Array(1024 * 1024) });
    assertEquals(fits.status, 201);
    assertEquals((await (await fetch(`${url}/v1/kv/a`)).bytes()).byteLength, 1024 * 1024);
  });

  test("a chunked body above the limit gets our 413", async () => {
    const { server } = start();
    const chunk = `40000\r\n${"x".repeat(0x40000)}\r\n`;
    const head = "PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    const answer = await raw(server, head + chunk.repeat(6) + "0\r\n\r\n", /\}$/);
    assertEquals(statusOf(answer), 413);
    assertStringIncludes(answer, '"code":"too_large"');
  });

  test("a client that leaves in the middle of its body leaves nothing behind", async () => {
    const { server, url, replica } = start({ maxBodyBytes: 1000, maxValueBytes: 1000 });
    const broken = await Bun.connect({ hostname: "127.0.0.1", port: server.port, socket: { data() {} } });
    broken.write("PUT /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 900\r\n\r\nbegun");
    broken.flush();
    await bodyBytes(url, (bytes) => bytes === 900);
    broken.terminate();
    await bodyBytes(url, (bytes) => bytes === 0);
    assertEquals(replica.timeouts, []);
  });
});

describe("what Bun decides by itself (docs/operations.md says so; another Bun may do better)", () => {
  test("its own answers are bare, and close the connection", async () => {
    const { server } = start();
    const host = "Host: 127.0.0.1\r\n";
    const table: [sent: string, answer: string][] = [
      ["nonsense\r\n\r\n", "HTTP/1.1 400 Bad Request"],
      [`GET /livez HTTP/9.9\r\n${host}\r\n`, "HTTP/1.1 505 HTTP Version Not Supported"],
      [
        `GET /livez HTTP/1.1\r\n${host}X: ${"x".repeat(17_000)}\r\n\r\n`,
        "HTTP/1.1 431 Request Header Fields Too Large",
      ],
      [
        `PUT /v1/kv/a HTTP/1.1\r\n${host}Content-Length: ${2 ** 40}\r\n\r\n`,
        "HTTP/1.1 413 Request Entity Too Large",
      ],
    ];
    for (const [sent, answer] of table) {
      assertEquals(await raw(server, sent), `${answer}\r\nConnection: close\r\n\r\n`);
    }
    const long = `GET /livez HTTP/1.1\r\n${host}X: ${"x".repeat(15_000)}\r\n\r\n`;
    assertEquals(statusOf(await raw(server, long, /ok\n$/)), 200);
  });

  test("a method that HTTP does not know gets no answer at all", async () => {
    const { server } = start();
    assertEquals(await raw(server, "BREW /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "");
  });

  test("of two pipelined writes the first is proposed, and neither is answered", async () => {
    const { server, replica } = start();
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    replica.nextOutcome = promise;
    const put = (key: string) =>
      `PUT /v1/kv/${key} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx`;
    const answer = raw(server, put("a") + put("b"));
    assertEquals(await answer, "");
    resolve({ type: "refused", reason: "no_leader" });
    assertEquals(replica.timeouts.length, 1);
  });

  test("of two Host headers the first counts", async () => {
    const { server } = start();
    const asked = (first: string, second: string) =>
      raw(server, `GET /v1/kv/a HTTP/1.1\r\nHost: ${first}\r\nHost: ${second}\r\n\r\n`, /\}$/);
    assertEquals(statusOf(await asked("127.0.0.1", "evil.example")), 404);
    assertEquals(statusOf(await asked("evil.example", "127.0.0.1")), 403);
  });
});

/** Waits until the metrics show such a number of bytes of bodies. */
async function bodyBytes(url: string, wanted: (bytes: number) => boolean): Promise<void> {
  const deadline = performance.now() + 3_000;
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (wanted(Number(/^coracle_http_body_bytes (\d+)$/m.exec(text)?.[1]))) return;
    if (performance.now() > deadline) throw new Error("the bytes of bodies did not change in 3 s");
    await Bun.sleep(5);
  }
}

describe("keys on the wire", () => {
  test("raw bytes that are no UTF-8 are refused, not repaired into another key", async () => {
    const { server, url } = start();
    const put = (target: string) => {
      const head = `PUT ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx`;
      return raw(server, Buffer.from(head, "latin1"), /\}$/);
    };
    for (const target of ["/v1/kv/\xff", "/v1/kv/a\xfeb", "/v1/kv?key=\xff", "/v1/kv/\xc3"]) {
      const answer = await put(target);
      assertEquals(statusOf(answer), 400, target);
      assertStringIncludes(answer, '"code":"invalid_request"');
    }
    assertEquals((await (await fetch(`${url}/v1/kv`)).json()).items, []);
    // Raw UTF-8, and U+FFFD by somebody who means it.
    assertEquals(statusOf(await put("/v1/kv/\xc3\xa9")), 201);
    assertEquals(await (await fetch(`${url}/v1/kv/%C3%A9`)).text(), "x");
    const client = new Client({ urls: [url] });
    await client.put("a\ufffd/b", "1");
    await client.put("./\ufffd", "2");
    assertEquals((await client.list({ prefix: "a\ufffd", keysOnly: true })).items.length, 1);
    assertEquals(new TextDecoder().decode((await client.get("./\ufffd"))?.value), "2");
  });

  test("Bun normalises . and .. segments and backslashes of a path; ?key= is exact", async () => {
    const { server, url } = start();
    const put = (target: string) =>
      raw(server, `PUT ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\n\r\nx`, /\}$/);
    const keyOf = (answer: string) => JSON.parse(answer.slice(answer.indexOf("{"))).key;
    assertEquals(keyOf(await put("/v1/kv/a/%2e%2e/b")), "b");
    assertEquals(keyOf(await put("/v1/kv/a\\b")), "a/b");
    assertEquals(keyOf(await put("/v1/kv?key=a/%2e%2e/b")), "a/../b");
    assertEquals(keyOf(await put("/v1/kv?key=a%5Cb")), "a\\b");
    assertEquals(keyOf(await put("/v1/kv/a%5Cb/%C3%A9//x/")), "a\\b/é//x/");
    assertEquals(await (await fetch(`${url}/v1/kv?key=a%2F..%2Fb`)).text(), "x");
  });

  test("HEAD says the length, 304 has no body", async () => {
    const { server, url } = start();
    await fetch(`${url}/v1/kv/a`, { method: "PUT", body: "hello" });
    const head = await raw(server, "HEAD /v1/kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    assertStringIncludes(head.toLowerCase(), "content-length: 5");
    assert(head.endsWith("\r\n\r\n"));
    const response = await fetch(`${url}/v1/kv/a`, { headers: { "If-None-Match": '"2"' } });
    assertEquals([response.status, await response.text()], [304, ""]);
  });
});

describe("the port", () => {
  test("that is taken: an error for people", () => {
    const { server } = start();
    const { app } = testApp();
    assertThrows(() => listen(app, "127.0.0.1", server.port), ListenError, `port ${server.port}`);
  });

  test("on :: serves IPv4 and IPv6, and knows who is on this machine", async () => {
    const { server } = start({ host: "::" });
    assertEquals((await fetch(`http://127.0.0.1:${server.port}/v1/cluster`)).status, 200);
    assertEquals((await fetch(`http://[::1]:${server.port}/v1/cluster`)).status, 200);
  });

  test("/v1/peer without links is no route for clients", async () => {
    const { url } = start();
    assertEquals((await fetch(`${url}/v1/peer`)).status, 400);
  });
});

describe("stopping", () => {
  function slowWrite(replica: OneReplica): (outcome: Outcome) => void {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    replica.nextOutcome = promise;
    return resolve;
  }

  async function begun(replica: OneReplica): Promise<void> {
    const deadline = performance.now() + 3_000;
    while (replica.timeouts.length === 0) {
      if (performance.now() > deadline) throw new Error("the write did not reach the replica in 3 s");
      await Bun.sleep(1);
    }
  }

  test("lets open requests end, refuses new ones, then closes", async () => {
    const { server, replica, url } = start();
    const finish = slowWrite(replica);
    const open = fetch(`${url}/v1/kv/a`, { method: "PUT", body: "x" });
    await begun(replica);
    const stopped = server.stop(5_000);
    assertEquals((await fetch(`${url}/v1/kv/b`)).status, 503);
    finish({ type: "refused", reason: "no_leader" });
    assertEquals((await open).status, 503);
    await stopped;
    assertEquals(await fetch(url).then(() => "answered", () => "refused"), "refused");
  });

  test("does not wait for ever", async () => {
    const { server, replica, url } = start();
    slowWrite(replica);
    const open = fetch(`${url}/v1/kv/a`, { method: "PUT", body: "x" }).then(
      () => "answered",
      () => "cut off",
    );
    await begun(replica);
    await server.stop(50);
    assertEquals(await open, "cut off");
  });
});
