// Which hosts are this machine and nothing else. A rule of security: what is on loopback needs neither a secret nor a
// token. What is not certainly loopback is not.

/** Of a socket's end: an address in digits; the name of a host is none. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.toLowerCase();
  // IPv4 inside IPv6, as sockets and as URLs write it.
  const mapped = /^::ffff:(.+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return isLoopback4(mapped) || /^7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(mapped);
  return bare === "::1" || isLoopback4(bare);
}

/** Of a URL or a setting: also the one name that can mean nothing else, and IPv6 in brackets. */
export function isLoopbackHost(host: string): boolean {
  return host.toLowerCase() === "localhost" || isLoopbackAddress(/^\[(.*)\]$/.exec(host)?.[1] ?? host);
}

/** 127.0.0.0/8. With a part above 255 it would be a name, which anybody's DNS may answer. */
function isLoopback4(text: string): boolean {
  const parts = /^127\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1);
  return parts?.every((part) => Number(part) <= 255) === true;
}
