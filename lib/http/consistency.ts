// ?consistency=linearizable|lease|stale and ?max_staleness=2s.
import type { Consistency } from "../replica/api.ts";
import { parseDuration } from "../notation/mod.ts";
import { bad, type Checked, good } from "./problem.ts";
import type { Query } from "./target.ts";

const LINEARIZABLE: Checked<Consistency> = good({ type: "linearizable" });

export function parseConsistency(query: Query): Checked<Consistency> {
  if (query.size === 0) return LINEARIZABLE;
  const type = query.get("consistency") ?? "linearizable";
  const bound = query.get("max_staleness");
  if (bound !== undefined && type !== "stale") {
    return bad("invalid_request", "max_staleness goes with consistency=stale.");
  }
  switch (type) {
    case "linearizable":
      return LINEARIZABLE;
    case "lease":
      return good({ type });
    case "stale": {
      const maxStalenessMs = bound === undefined ? null : parseDuration(bound);
      if (bound !== undefined && maxStalenessMs === null) {
        return bad("invalid_request", "max_staleness is a duration like 500ms or 2s.");
      }
      return good({ type, maxStalenessMs });
    }
    default:
      return bad("invalid_request", "consistency is linearizable, lease or stale.");
  }
}
