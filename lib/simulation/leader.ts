// Who leads the world, as far as the nodes themselves say.
import type { SimulatedNode } from "./node.ts";

/** The node that leads in the highest term; undefined = nobody leads. */
export function leaderOf<Query, Answer>(
  nodes: readonly SimulatedNode<Query, Answer>[],
): SimulatedNode<Query, Answer> | undefined {
  let found: SimulatedNode<Query, Answer> | undefined;
  let highest = -1;
  for (const node of nodes) {
    const status = node.replica?.status();
    if (status?.role !== "leader" || status.term <= highest) continue;
    highest = status.term;
    found = node;
  }
  return found;
}
