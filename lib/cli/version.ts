// Which build this is: compile.sh puts version and commit in; run from source it says so.
import packageJson from "../../package.json" with { type: "json" };

declare const CORACLE_VERSION: string;
declare const CORACLE_COMMIT: string;

/** As in package.json. */
export const version: string = typeof CORACLE_VERSION === "string" ? CORACLE_VERSION : packageJson.version;

/** The commit that the executable was made from; null when run from source. */
export const commit: string | null = typeof CORACLE_COMMIT === "string" ? CORACLE_COMMIT : null;
