// Sends one request to whichever node takes it, under one rule: a write is sent again only where the one before is
// definitely not done (503, 429, a refused connection, a redirect), never after its connection broke or its answer was
// lost. Reads may go anywhere at any time.
//
// A write goes out on a connection of its own: runtimes silently send a PUT again when a reused one turns out closed.
import { parseProblem } from "./answers.ts";
import { InvalidHeader, OutcomeUnknown, ProblemError, Unreachable } from "./errors.ts";
import { withQuery } from "./key-url.ts";

export type Request = {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Path and query, percent-encoded. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
};

/** An answer with a status below 300. */
export type Answer = {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer>;
};

export type TransportOptions = {
  /** Base URLs of nodes, tried in turn; the one that answered last is asked first. */
  readonly urls: readonly string[];
  /** Shown to every node asked, also where one redirects to another. */
  readonly token?: string | undefined;
  /** For a whole operation, all attempts and waiting included. */
  readonly timeoutMs: number;
};

const MAX_REDIRECTS = 5;
/** The longest deadline that a server accepts. */
const MAX_SERVER_TIMEOUT_MS = 60_000;
/** Between two rounds over all URLs where no Retry-After says otherwise. */
const ROUND_PAUSE_MS = 200;
/** What a write needs at least to be sent again; or half of all the time there is. */
const RESEND_MS = 1_000;

type Attempt =
  | { readonly type: "answered"; readonly answer: Answer }
  /** Definitely not done: the next URL may be asked. */
  | { readonly type: "unavailable"; readonly problem: ProblemError; readonly retryAfterMs: number }
  /** Definitely not sent. */
  | { readonly type: "refused"; readonly error: unknown }
  /** Broken, too late, or a server's word that it does not know. */
  | { readonly type: "lost"; readonly error: unknown };

export class Transport {
  readonly #urls: readonly string[];
  readonly #token: string | undefined;
  readonly #timeoutMs: number;
  #preferred = 0;

  /** Throws TypeError for what is no http(s) URL. */
  constructor(options: TransportOptions) {
    this.#urls = options.urls.map(baseUrl);
    if (this.#urls.length === 0) throw new TypeError("not a single URL of a node was given");
    this.#token = options.token;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Throws ProblemError, Unreachable, and for a write OutcomeUnknown. */
  async send(request: Request): Promise<Answer> {
    const deadline = performance.now() + this.#timeoutMs;
    const read = request.method === "GET";
    const init = this.#init(request);
    let last: Attempt | null = null;
    // What is cut off for want of time leaves a write unknown, where giving up before it is a definite no.
    let neededMs = read ? 1 : Math.min(RESEND_MS, this.#timeoutMs / 2);
    for (;;) {
      let pauseMs = Infinity;
      const first = this.#preferred;
      for (let asked = 0; asked < this.#urls.length; asked++) {
        const remainingMs = deadline - performance.now();
        if (last !== null && remainingMs < neededMs) return giveUp(last);
        // A node that is silent must not take the time in which a read could ask the others.
        const attemptMs = read ? remainingMs / (this.#urls.length - asked) : remainingMs;
        const place = (first + asked) % this.#urls.length;
        const base = this.#urls[place] ?? "";
        const began = performance.now();
        const attempt = await this.#attempt(base, request, init, Math.max(1, attemptMs));
        if (!read) neededMs = Math.max(neededMs, performance.now() - began);
        if (attempt.type === "answered") {
          this.#preferred = place;
          return attempt.answer;
        }
        if (attempt.type === "lost" && !read) throw outcomeUnknown(attempt.error);
        if (attempt.type === "lost") pauseMs = Math.min(pauseMs, ROUND_PAUSE_MS);
        if (attempt.type === "unavailable") pauseMs = Math.min(pauseMs, attempt.retryAfterMs);
        // What a node said is worth more to a person than that another was not there.
        if (last?.type !== "unavailable" || attempt.type === "unavailable") last = attempt;
      }
      // Nobody is there: waiting is for a cluster that elects, not for one that was not started.
      if (last !== null && pauseMs === Infinity) return giveUp(last);
      if (last !== null && performance.now() + pauseMs + neededMs > deadline) return giveUp(last);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  async #attempt(base: string, request: Request, init: RequestInit, timeoutMs: number): Promise<Attempt> {
    const abort = new AbortController();
    const timer = setTimeout(
      () => abort.abort(new DOMException(`no answer within ${Math.round(timeoutMs)} ms`, "TimeoutError")),
      timeoutMs,
    );
    try {
      return await this.#exchange(base, request, { ...init, signal: abort.signal }, timeoutMs);
    } catch (error) {
      if (error instanceof ProblemError) throw error;
      return wasRefused(error) ? { type: "refused", error } : { type: "lost", error };
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(base: string, request: Request, init: RequestInit, timeoutMs: number): Promise<Attempt> {
    // The server shall give up a little earlier than we do: its word is better than none.
    const serverMs = Math.min(MAX_SERVER_TIMEOUT_MS, Math.ceil(timeoutMs - Math.min(500, timeoutMs / 10)));
    let url = base + withQuery(request.target, { timeout: `${serverMs}ms` });
    for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
      const response = await fetch(url, init);
      const answer = {
        status: response.status,
        headers: response.headers,
        body: new Uint8Array(await response.arrayBuffer()),
      };
      const location = answer.headers.get("location");
      // By hand, because fetch does not show the token to another host. Only these two keep method and body.
      if ((answer.status !== 307 && answer.status !== 308) || location === null) {
        return judge(request, answer);
      }
      url = baseUrlChecked(new URL(location, url));
    }
    return { type: "refused", error: new Error(`${base} redirects in a circle`) };
  }

  /** Made before anything is sent: throws InvalidHeader for what no header can carry. */
  #init(request: Request): RequestInit {
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers ?? {})) setHeader(headers, name, value);
    if (this.#token !== undefined) setHeader(headers, "authorization", `Bearer ${this.#token}`);
    const init: RequestInit = { method: request.method, headers, redirect: "manual" };
    if (request.body !== undefined) init.body = request.body;
    if (request.method !== "GET") {
      init.keepalive = false;
      headers.set("connection", "close");
    }
    return init;
  }
}

function setHeader(headers: Headers, name: string, value: string): void {
  try {
    headers.set(name, value);
  } catch (error) {
    throw new InvalidHeader(name, error);
  }
}

/** What a complete answer means. Throws ProblemError where asking again, anywhere, would give the same. */
function judge(request: Request, answer: Answer): Attempt {
  const { status } = answer;
  if (status >= 200 && status < 300) return { type: "answered", answer };
  const problem = new ProblemError({ ...parseProblem(answer.body), status });
  if (status === 503 || status === 429) {
    return { type: "unavailable", problem, retryAfterMs: retryAfterMs(answer.headers) };
  }
  // 501 is not done. Any other 5xx, also one of a proxy on the way, leaves a write open.
  if (status >= 500 && status !== 501 && request.method !== "GET") return { type: "lost", error: problem };
  throw problem;
}

function giveUp(last: Attempt): never {
  if (last.type === "unavailable") throw last.problem;
  const error = last.type === "answered" ? undefined : last.error;
  if (error instanceof ProblemError) throw error;
  throw new Unreachable(reason(error), { cause: error });
}

function outcomeUnknown(error: unknown): OutcomeUnknown {
  return new OutcomeUnknown(`the write may or may not be done: ${reason(error)}`, { cause: error });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Seconds, as our servers say it; anything else counts as not given. */
function retryAfterMs(headers: Headers): number {
  const seconds = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(seconds) ? Number(seconds) * 1000 : ROUND_PAUSE_MS;
}

/** No connection came about, so that nothing was sent. What is not known for certain is not refused. */
function wasRefused(error: unknown): boolean {
  const codes = ["ECONNREFUSED", "ConnectionRefused", "ENOTFOUND", "EAI_AGAIN"];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && codes.includes(at.code)) return true;
  }
  return false;
}

function baseUrl(text: string): string {
  if (!URL.canParse(text)) throw new TypeError(`not a URL: ${text}`);
  return baseUrlChecked(new URL(text)).replace(/\/+$/, "");
}

function baseUrlChecked(url: URL): string {
  if (url.protocol === "http:" || url.protocol === "https:") return url.href;
  throw new TypeError(`not an http or https URL: ${url.href}`);
}
