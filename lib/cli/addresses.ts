// Addresses as people write them: URLs of nodes and lists of peers.
import * as v from "valibot";
import { idPattern, idRule } from "../raft/mod.ts";

export type PeerAddress = { readonly id: string; readonly url: string };

/** `http://host:port` without anything behind it; null when it is none. */
export function nodeUrl(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === "") return null;
  if (
    url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "" || url.password !== ""
  ) {
    return null;
  }
  return url.origin;
}

/** Every address of this machine: nobody can be told to dial it. */
export function isWildcard(host: string): boolean {
  return ["0.0.0.0", "::", "[::]", "*"].includes(host);
}

export function urlOf(host: string, port: number): string {
  return `http://${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

/** A node's own URL as valibot schema; null where none was given. */
export function nodeUrlOrNone() {
  return v.pipe(
    v.optional(v.string()),
    v.check(
      (value) => value === undefined || nodeUrl(value) !== null,
      "a URL such as http://10.0.0.1:8080 is expected",
    ),
    v.transform((value) => value === undefined ? null : nodeUrl(value)),
  );
}

/** `http://10.0.0.1:8080,http://10.0.0.2:8080`; [] where none was given. */
export function urlList() {
  return v.pipe(
    v.optional(v.string(), ""),
    v.transform((value) => value.split(",").map((part) => part.trim()).filter((part) => part !== "")),
    v.check(
      (urls) => urls.every((url) => nodeUrl(url) !== null),
      "URLs such as http://10.0.0.1:8080 are expected",
    ),
    v.transform((urls) => urls.flatMap((url) => nodeUrl(url) ?? [])),
  );
}

/** `n1=http://10.0.0.1:8080,n2=…`; null where none was given. */
export function peerList() {
  return v.pipe(
    v.optional(v.string()),
    v.rawTransform<string | undefined, readonly PeerAddress[] | null>(({ dataset, addIssue, NEVER }) => {
      if (dataset.value === undefined) return null;
      const peers = new Map<string, PeerAddress>();
      for (const part of dataset.value.split(",").map((item) => item.trim()).filter((item) => item !== "")) {
        const at = part.indexOf("=");
        const id = part.slice(0, Math.max(at, 0));
        const url = nodeUrl(part.slice(at + 1));
        const trouble = at < 0 || url === null
          ? `"${part}" is not of the form n1=http://10.0.0.1:8080`
          : !idPattern.test(id)
          ? `"${id}" is no id: ${idRule}`
          : peers.has(id)
          ? `${id} stands in it twice`
          : [...peers.values()].some((peer) => peer.url === url)
          ? `${url} stands in it twice`
          : null;
        if (trouble !== null || url === null) {
          addIssue({ message: trouble ?? "" });
          return NEVER;
        }
        peers.set(id, { id, url });
      }
      return [...peers.values()];
    }),
  );
}
