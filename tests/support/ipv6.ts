// Whether this machine speaks IPv6 at all, as far as loopback shows.
import { networkInterfaces } from "node:os";

export function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).flat().some((item) => item?.address === "::1");
}
