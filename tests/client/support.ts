// Small real servers for the client to meet: scripted ones, ones that break off, and ports where nobody listens.

export type Seen = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly body: string;
};

export type Server = AsyncDisposable & { readonly url: string; readonly seen: Seen[] };

/** Answers the nth request with the nth of `answers`, and with the last one from then on. */
export function scripted(...answers: readonly (() => Response | Promise<Response>)[]): Server {
  const seen: Seen[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const number = seen.push({
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: await request.text(),
      });
      return (answers[number - 1] ?? answers.at(-1))?.() ?? new Response(null, { status: 500 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    seen,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** Takes requests over raw TCP; `answer(n)` is what the nth gets before its connection is cut, null = keeps silent. */
export function raw(
  answer: (request: number) => string | null,
): Disposable & { url: string; requests: string[] } {
  const requests: string[] = [];
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, data) {
        const text = data.toString();
        if (!/^[A-Z]+ \//.test(text)) return;
        const reply = answer(requests.push(text));
        if (reply === null) return;
        socket.write(reply);
        // An answer of known length leaves the connection open, for the client to use again.
        if (!reply.includes("Content-Length: 0\r\n")) socket.end();
      },
    },
  });
  return {
    url: `http://127.0.0.1:${listener.port}`,
    requests,
    [Symbol.dispose]: () => listener.stop(true),
  };
}

/** A URL where nobody listens: a port that was free a moment ago. */
export function refusing(): string {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return `http://127.0.0.1:${port}`;
}

export function problem(status: number, code: string, headers: Record<string, string> = {}) {
  const body = { type: "about:blank", title: `title of ${code}`, status, detail: `detail of ${code}`, code };
  return () =>
    Response.json(body, { status, headers: { ...headers, "content-type": "application/problem+json" } });
}

export const written = () =>
  Response.json({ key: "k", revision: 7, createRevision: 7, version: 1 }, { status: 201 });

export const value = () =>
  new Response("v", {
    headers: {
      etag: '"7"',
      "coracle-create-revision": "3",
      "coracle-version": "2",
      "content-type": "text/x",
    },
  });
