// Writes that fly.io's proxy is to repeat at the leader's machine.
import { assertEquals, assertStringIncludes } from "@std/assert";
import { test } from "bun:test";
import { testApp } from "./support.ts";

test("fly-replay: a follower has the proxy repeat a small write at the leader's machine, once", async () => {
  const entry = (url: string) => ({ url, region: null, version: null });
  let url = "http://148e1.vm.shop.internal:8080";
  const { request, replica } = testApp({
    leaderRouting: "fly-replay",
    maxValueBytes: 4_000_000,
    directory: () => new Map([["n2", entry(url)], ["n2~b", entry(url)]]),
  });
  replica.picture = { role: "follower", leaderId: "n2~b" };
  const proxy = { "fly-forwarded-port": "443", "fly-client-ip": "203.0.113.9" };
  const put = (headers: Record<string, string>) =>
    request("/v1/kv/a", { method: "PUT", body: "x", headers: { "content-length": "1", ...headers } });
  const replayed = await put(proxy);
  assertEquals(replayed.headers.get("fly-replay"), "instance=148e1;state=coracle-leader");
  assertEquals(replayed.status, 409);
  assertStringIncludes(await replayed.text(), "nothing was done");
  // Forwarded: what was repeated already, what is too large for it, what no proxy brought, a leader that is elsewhere.
  const src = { "fly-replay-src": "instance=148e0;state=coracle-leader" };
  for (const headers of [{ ...proxy, ...src }, { ...proxy, "content-length": "2000000" }, {}]) {
    const forwarded = await put(headers);
    assertEquals([forwarded.headers.get("fly-replay"), forwarded.ok], [null, true]);
  }
  for (url of ["http://10.0.0.2:8080", "http://148e1.vm.shop.internal.example:80"]) {
    assertEquals((await put(proxy)).ok, true);
  }
});
