// What fly.io tells a machine about itself, as defaults of our settings: flags and variables of ours go before them.
import type { Environment } from "./settings.ts";

/** The environment with what can be known on fly.io filled in, for a node on this port; unchanged elsewhere. */
export function withFly(environment: Environment, port: number): Environment {
  const app = environment["FLY_APP_NAME"] ?? "";
  const machine = environment["FLY_MACHINE_ID"] ?? "";
  if (app === "") return environment;
  // A machine has no other name that lasts; a volume that arrives under another machine keeps the id on it (defaultId).
  const known: Record<string, string> = {
    HOST: "::",
    METRICS_HOST: "::",
    ...machine === "" ? {} : { ADVERTISE: `http://${machine}.vm.${app}.internal:${port}` },
    DISCOVER: `dns:${app}.internal:${port}`,
  };
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => (value ?? "") !== ""));
  return { ...environment, ...known, ...given };
}

/** The id of a machine whose disk has none yet. */
export function flyId(environment: Environment): string | null {
  return environment["FLY_APP_NAME"] ? environment["FLY_MACHINE_ID"] || null : null;
}
