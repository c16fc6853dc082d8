// Why a socket that was dialled never opened, out of what the runtime says about it.

export type ConnectEnding = { readonly code: string; readonly sentence: string };

/** `how` is the runtime's text. The sentences are read after a URL. */
export function connectEnding(how: string): ConnectEnding {
  if (/failed to connect/i.test(how)) {
    return { code: "unreachable", sentence: "connection refused, or no such host" };
  }
  const status = /expected 101 status code: (\d{3})/i.exec(how)?.[1];
  // What a replica itself answers instead of a link (upgrade.ts).
  if (status === "503") return { code: "busy", sentence: "not ready for a link (HTTP 503)" };
  if (status === "403") {
    return { code: "forbidden", sentence: "refuses links (HTTP 403): has it a --secret?" };
  }
  if (status !== undefined) {
    return { code: "not_coracle", sentence: `is not Coracle (it answers HTTP ${status})` };
  }
  if (/invalid response/i.test(how)) {
    return { code: "not_coracle", sentence: "is not Coracle (it does not speak HTTP)" };
  }
  if (/tls/i.test(how)) return { code: "tls", sentence: "no TLS there: is it an http:// URL?" };
  return { code: "unreachable", sentence: `cannot connect: ${how}` };
}
