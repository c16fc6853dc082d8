// One request on its way through: what all routes do alike, as one function around a table of methods. No chain of
// middleware: a PUT passes here once.
import type { Context } from "hono";
import { isForeign } from "./auth.ts";
import type { RequestRecorder } from "./metrics.ts";
import type { RequestBindings } from "./options.ts";
import { type Problem, problem, problemResponse } from "./problem.ts";
import type { Services } from "./services.ts";
import { parseQuery, type Query } from "./target.ts";

export type Exchange = {
  readonly request: Request;
  readonly query: Query;
  /** When the request arrived, by the services' monotonic clock. */
  readonly startedAt: number;
};

export type Method = "GET" | "PUT" | "POST" | "DELETE";

/** A Problem is answered as such. */
export type Handler = (exchange: Exchange) => Response | Problem | Promise<Response | Problem>;

export type Endpoint = {
  /** As in api.md; the label in the metrics. */
  readonly route: string;
  /** GET answers HEAD too. */
  readonly methods: Readonly<Partial<Record<Method, Handler>>>;
  /** Answers anybody, also when the node is overloaded: health. */
  readonly always?: true;
  /** Headers of a problem, beside its own. */
  readonly stamp?: () => Readonly<Record<string, string>>;
};

type AppContext = Context<{ Bindings: RequestBindings }>;

const OVERLOADED = problem("overloaded", "This node answers as many requests as it may; nothing was done.");
const FAILED = problem(
  "unavailable",
  "This node has failed and is about to end; its log says why. Nothing was done.",
);
const CROSS_SITE = problem("forbidden", "A page of another site may not ask for this.");

/** The handler of all methods of one resource. */
export function endpoint(
  services: Services,
  { route, methods, always, stamp }: Endpoint,
): (context: AppContext) => Promise<Response> {
  const { clock, metrics, admission } = services;
  const offered = new Map<string, Handler>(Object.entries(methods));
  if (methods.GET !== undefined) offered.set("HEAD", methods.GET);
  const recorders = new Map<string, RequestRecorder>(
    [...offered.keys()].map((method) => [method, metrics.requests(route, method)]),
  );
  const recordOther = metrics.requests(route, "other");
  const notOffered: Problem = {
    ...problem("method_not_allowed", `Offered here: ${[...offered.keys()].join(", ")}.`),
    allow: [...offered.keys()].join(", "),
  };

  async function answer(context: AppContext, startedAt: number): Promise<Response | Problem> {
    const request = context.req.raw;
    if (services.glance().phase === "failed") return FAILED;
    const handler = offered.get(request.method);
    if (always !== true) {
      const allowed = services.guard(
        request.headers.get("authorization"),
        () => context.env?.remoteAddress?.(request) ?? null,
        request.url,
      );
      if (!allowed.ok) return allowed.problem;
    }
    if (handler === undefined) return notOffered;
    // A browser sends a simple POST of any page anywhere without asking; PUT and DELETE it asks for first, in vain.
    if (request.method === "POST" && isForeign(request.headers, request.url)) return CROSS_SITE;
    const query = parseQuery(request.url);
    if (!query.ok) return query.problem;
    if (always === true) return handler({ request, query: query.value, startedAt });
    if (!admission.enter()) return OVERLOADED;
    try {
      return await handler({ request, query: query.value, startedAt });
    } finally {
      admission.leave();
    }
  }

  return async (context) => {
    const startedAt = clock.monotonic();
    const answered = await answer(context, startedAt);
    const response = answered instanceof Response ? answered : problemResponse(answered, stamp?.());
    const record = recorders.get(context.req.raw.method) ?? recordOther;
    record(response.status, (clock.monotonic() - startedAt) / 1000);
    return response;
  };
}
