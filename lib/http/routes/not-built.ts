// What api.md promises and is not built yet: 501, never silence. Whoever builds one takes it off this list.
import type { Endpoint, Handler, Method } from "../exchange.ts";
import { problem } from "../problem.ts";

export type NotBuilt = { readonly paths: readonly string[]; readonly endpoint: Endpoint };

const ROUTES: readonly (readonly [paths: readonly string[], methods: readonly Method[], what: string])[] = [
  [["/v1/txn"], ["POST"], "Transactions are"],
  [["/v1/watch"], ["GET"], "Watching is"],
  [["/v1/leases"], ["POST"], "Leases are"],
  [["/v1/leases/:id", "/v1/leases/:id/keepalive"], ["GET", "POST", "DELETE"], "Leases are"],
  [["/v1/locks/:name"], ["POST", "DELETE"], "Locks are"],
  [["/v1/backup"], ["GET"], "Backup is"],
  [["/openapi.json"], ["GET"], "The OpenAPI description is"],
];

export const notBuilt: readonly NotBuilt[] = ROUTES.map(([paths, methods, what]) => {
  const handler: Handler = () => problem("not_implemented", `${what} not built yet; nothing was done.`);
  return {
    paths,
    endpoint: {
      route: paths[0] ?? "",
      methods: Object.fromEntries(methods.map((method) => [method, handler])),
    },
  };
});
