// Which requests for /v1/peer may become a socket at all, before anything is said over it.
import { isLoopbackAddress } from "../notation/mod.ts";
import type { Purpose } from "./handshake-messages.ts";

export type UpgradeRefusal = { readonly code: string; readonly detail: string; response(): Response };

export type UpgradeContext = {
  /** Too many handshakes are under way, or this node is not ready for peers. */
  readonly busy: boolean;
  readonly hasSecret: boolean;
};

/** What a request is after; null = nothing that is known. */
export function purposeOf(request: Request): Purpose | null {
  const named = new URL(request.url).searchParams.get("channel");
  return named === "control" || named === "bulk" || named === "probe" ? named : null;
}

/** null = it may. `address` is the socket's remote end, not what a header says. */
export function refuseUpgrade(
  request: Request,
  address: string,
  { busy, hasSecret }: UpgradeContext,
): UpgradeRefusal | null {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refusal(426, "invalid_request", "this path is for WebSockets between replicas");
  }
  if (purposeOf(request) === null) {
    return refusal(400, "invalid_request", "the channel must be control, bulk or probe");
  }
  if (!hasSecret && !isLoopbackAddress(address)) {
    return refusal(403, "forbidden", "beyond loopback, links between replicas need --secret");
  }
  // Browsers name the page that asks; replicas are no pages. Without a secret this keeps web sites away from loopback.
  if (request.headers.has("origin")) return refusal(403, "forbidden", "no links from web pages");
  if (busy) return refusal(503, "unavailable", "not ready for another link");
  return null;
}

function refusal(status: number, code: string, detail: string): UpgradeRefusal {
  return {
    code,
    detail,
    response: () => {
      const body = { type: "about:blank", title: detail, status, detail, code };
      const headers: Record<string, string> = { "content-type": "application/problem+json" };
      if (status === 426) headers["upgrade"] = "websocket";
      if (status === 503) headers["retry-after"] = "1";
      return new Response(`${JSON.stringify(body)}\n`, { status, headers });
    },
  };
}
