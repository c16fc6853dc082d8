// argv → command. The only place where the process ends.
import { run } from "./lib/cli/run.ts";

const end = (code: number): never => process.exit(code);
end(await run(process.argv.slice(2), end));
