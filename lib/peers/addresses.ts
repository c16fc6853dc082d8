// URLs of peers: where to dial.
import { isLoopbackHost } from "../notation/mod.ts";
import type { Purpose } from "./handshake-messages.ts";

export const peerPath = "/v1/peer";

export type PeerAddress = {
  /** `http://host:port`, as people write it; equal for equal addresses. */
  readonly url: string;
  readonly loopback: boolean;
  socketUrl(purpose: Purpose): string;
};

/** null when it is no http(s) URL. */
export function peerAddress(url: string): PeerAddress | null {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    return null;
  }
  if (parsed.protocol !== "http:" && parsed.protocol !== "https:") return null;
  if (parsed.hostname === "") return null;
  const scheme = parsed.protocol === "http:" ? "ws:" : "wss:";
  return {
    url: `${parsed.protocol}//${parsed.host}`,
    loopback: isLoopbackHost(parsed.hostname),
    socketUrl: (purpose) => `${scheme}//${parsed.host}${peerPath}?channel=${purpose}`,
  };
}
