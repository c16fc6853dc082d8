// Who may speak to this node: whoever shows a token, or, where there are none, whoever is on this machine.
import { isLoopbackAddress } from "../notation/mod.ts";
import { bad, type Checked, good } from "./problem.ts";
import type { Runtime } from "./options.ts";
import { authority } from "./target.ts";

/** Checks one request: its Authorization header, the address of the other end of its connection, and its absolute URL. */
export type Guard = (
  authorization: string | null,
  remoteAddress: () => string | null,
  url: string,
) => Checked<null>;

const WELCOME: Checked<null> = good(null);

/**
 * `tokens` empty: loopback only, unless `open`. There a browser could be lured into asking on a stranger's behalf, by a
 * name of the stranger's that is made to point to this machine (DNS rebinding): only names that cannot be are answered.
 */
export function createGuard(
  tokens: readonly string[],
  open: boolean,
  runtime: Runtime,
  advertised: () => string,
): Guard {
  if (tokens.length > 0) return tokenGuard(tokens.map(runtime.sha256), runtime);
  if (open) return () => WELCOME;
  const known = knownHost(advertised);
  return (_authorization, remoteAddress, url) => {
    if (!isLoopbackAddress(remoteAddress() ?? "")) return ELSEWHERE;
    return known(authority(url)) ? WELCOME : STRANGE_HOST;
  };
}

const ELSEWHERE = bad(
  "forbidden",
  "This node serves only clients on its own machine: start it with --token (or, if everybody may, --open).",
);
const STRANGE_HOST = bad(
  "forbidden",
  "Without --token this node answers only to an IP address, to localhost and to the host of its --advertise: " +
    "ask by one of these, or start it with --token.",
);

/** Whether a request's `host[:port]` is an address, localhost, or the advertised host. */
function knownHost(advertised: () => string): (asked: string) => boolean {
  let last: string | null = null;
  return (asked) => {
    if (asked === last) return true;
    const host = withoutPort(asked);
    const known = /^(\d{1,3}\.){3}\d{1,3}$|^\[/.test(host) || /^(.+\.)?localhost$/.test(host) ||
      host === withoutPort(authority(advertised()));
    if (known) last = asked;
    return known;
  };
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, "");
}

/** Whether a browser says that another site's page asks; what is no browser says nothing. */
export function isForeign(headers: Headers, url: string): boolean {
  if (headers.get("sec-fetch-site") === "cross-site") return true;
  // Towards an address that is not https and not loopback browsers leave it at Origin.
  const origin = headers.get("origin");
  const own = authority(url);
  return origin !== null && origin !== `http://${own}` && origin !== `https://${own}`;
}

/** Digests are compared, not tokens: all have one length, and where they first differ says nothing of the token. */
function tokenGuard(digests: readonly Uint8Array[], { sha256, timingSafeEqual }: Runtime): Guard {
  return (authorization) => {
    const shown = /^bearer +([^ ]+) *$/i.exec(authorization ?? "")?.[1];
    if (shown === undefined) return bad("unauthorized", "Show a token: Authorization: Bearer <token>.");
    const digest = sha256(shown);
    let known = false;
    // Every token is compared, so that the time does not tell which one it was.
    for (const expected of digests) known = timingSafeEqual(digest, expected) || known;
    return known ? WELCOME : bad("unauthorized", "This token is not one of this cluster's.");
  };
}
