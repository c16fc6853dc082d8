// Who may speak to this node: whoever shows a token, or, where there are none, whoever is on this machine.
import { isLoopbackAddress } from "../notation/mod.ts";
import { bad, type Checked, good } from "./problem.ts";
import type { Runtime } from "./options.ts";

/** Checks one request: its Authorization header and the address of the other end of its connection. */
export type Guard = (authorization: string | null, remoteAddress: () => string | null) => Checked<null>;

const WELCOME: Checked<null> = good(null);

/** `tokens` empty: loopback only, unless `open`. */
export function createGuard(
  tokens: readonly string[],
  open: boolean,
  runtime: Runtime,
): Guard {
  if (tokens.length > 0) return tokenGuard(tokens.map(runtime.sha256), runtime);
  if (open) return () => WELCOME;
  return (_authorization, remoteAddress) =>
    isLoopbackAddress(remoteAddress() ?? "") ? WELCOME : bad(
      "forbidden",
      "This node serves only clients on its own machine: start it with --token (or, if everybody may, --open).",
    );
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
