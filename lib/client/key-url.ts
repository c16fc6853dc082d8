// Where a key is found: `/v1/kv/{key}` with its slashes as they are, or `/v1/kv?key=…` for keys that something on the
// way would mangle (runtimes and proxies resolve dot segments, also written as %2e, and merge empty ones).

/** Path and query for a key, percent-encoded. Throws URIError for half a surrogate pair. */
export function keyTarget(key: string): string {
  const segments = key.split("/");
  const mangled = key.includes("\\") || segments.some((segment) => ["", ".", ".."].includes(segment));
  if (mangled) return `/v1/kv?key=${encoded(key)}`;
  return `/v1/kv/${segments.map(encoded).join("/")}`;
}

/** In capitals the server takes U+FFFD for what became of bytes that are no UTF-8, and refuses it. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll("%EF%BF%BD", "%ef%bf%bd");
}

/** Adds query parameters to a target; those that are undefined or false are left out. */
export function withQuery(
  target: string,
  query: Readonly<Record<string, string | number | boolean | undefined>>,
): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `${name}=${encoded(String(value))}`);
  return parts.length === 0 ? target : `${target}${target.includes("?") ? "&" : "?"}${parts.join("&")}`;
}
