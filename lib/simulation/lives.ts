// What each node says of itself, sample after sample: within one life nothing falls, all are of one cluster, and who was
// removed knows it for good.
import type { ReplicaId } from "../raft/mod.ts";
import type { ReplicaStatus } from "../replica/api.ts";

export class Lives {
  readonly fail: (invariant: string, detail: string) => void;
  readonly #last = new Map<
    string,
    { boot: string; commitIndex: number; appliedIndex: number; term: number }
  >();
  readonly #removed = new Set<ReplicaId>();
  readonly #anythingCommitted: () => boolean;
  /** Which cluster all are in, and whose disks say so. */
  #cluster: { readonly id: string; readonly nodes: Set<string> } | null = null;

  constructor(fail: (invariant: string, detail: string) => void, anythingCommitted: () => boolean) {
    this.fail = fail;
    this.#anythingCommitted = anythingCommitted;
  }

  wasRemoved(replica: ReplicaId): boolean {
    return this.#removed.has(replica);
  }

  /**
   * A cluster that only one founder had heard of, which lost its disk, has done nothing: the others may form another. But it
   * must not have started before all had written down who is to form it (`recorded`).
   */
  wiped(node: string, recorded: boolean): void {
    this.#last.delete(node);
    if (this.#cluster === null) return;
    this.#cluster.nodes.delete(node);
    if (this.#cluster.nodes.size === 0 && recorded && !this.#anythingCommitted()) this.#cluster = null;
  }

  /** One node's state against its last one; `boot` tells processes apart. */
  status(node: string, boot: string, status: ReplicaStatus): void {
    const before = this.#last.get(node);
    const { commitIndex, appliedIndex, term, clusterId, phase, replica } = status;
    if (clusterId !== null) {
      this.#cluster ??= { id: clusterId, nodes: new Set() };
      if (clusterId === this.#cluster.id) this.#cluster.nodes.add(node);
      else {
        const others = [...this.#cluster.nodes].join(", ") || "others";
        this.fail("One cluster", `${node} is in cluster ${clusterId}, ${others} in ${this.#cluster.id}`);
      }
    }
    if (phase === "removed") this.#removed.add(replica);
    if (appliedIndex > commitIndex) {
      this.fail("Apply", `${node} applied ${appliedIndex}, commitIndex ${commitIndex}`);
    }
    if (appliedIndex > status.durableIndex) {
      this.fail("Apply", `${node} applied ${appliedIndex}, durable is ${status.durableIndex}`);
    }
    if (before !== undefined && before.boot === boot) {
      if (term < before.term) this.fail("Terms grow", `${node} went from term ${before.term} to ${term}`);
      if (commitIndex < before.commitIndex) {
        this.fail(
          "Commit is for ever",
          `${node}: commitIndex fell from ${before.commitIndex} to ${commitIndex}`,
        );
      }
      if (appliedIndex < before.appliedIndex) {
        this.fail(
          "Commit is for ever",
          `${node}: appliedIndex fell from ${before.appliedIndex} to ${appliedIndex}`,
        );
      }
    }
    this.#last.set(node, { boot, commitIndex, appliedIndex, term });
  }
}
