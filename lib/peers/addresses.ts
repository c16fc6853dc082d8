// URLs and addresses of peers: where to dial, and what counts as this machine.
import type { Channel } from "../replica/ports.ts";

export const peerPath = "/v1/peer";

export type PeerAddress = {
  /** `http://host:port`, as people write it; equal for equal addresses. */
  readonly url: string;
  readonly loopback: boolean;
  socketUrl(channel: Channel): string;
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
    socketUrl: (channel) => `${scheme}//${parsed.host}${peerPath}?channel=${channel}`,
  };
}

/** Of a URL: only names that can mean nothing else. */
function isLoopbackHost(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Of a socket's remote end. */
export function isLoopbackAddress(address: string): boolean {
  return address === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/i.test(address);
}
