// What links tell a replica, and which of its parts are told: members and the formation of a cluster follow who is linked.
import type { ReplicaId } from "../raft/mod.ts";
import type { Forming } from "./forming.ts";
import type { Members } from "./members.ts";
import type { PeerMessage } from "./peer-messages.ts";
import type { Links, PeerIdentity } from "./ports.ts";

export type Listening = {
  readonly guard: (task: () => void) => void;
  readonly message: (from: ReplicaId, message: PeerMessage) => void;
  readonly members: Members;
  readonly forming: Forming;
  readonly linkLost: (peer: ReplicaId) => void;
};

/** From now on; peers that are linked already are told as well. */
export function listenTo(links: Links, { guard, message, members, forming, linkLost }: Listening): void {
  const up = (peer: PeerIdentity) => {
    members.up(peer);
    forming.up(peer.replica);
  };
  links.listen({
    message: (from, said) => guard(() => message(from, said)),
    up: (peer) => guard(() => up(peer)),
    down: (peer) =>
      guard(() => {
        members.down(peer);
        forming.down(peer.replica);
        linkLost(peer.replica);
      }),
    refused: (refusal) => guard(() => members.refusedByPeer(refusal)),
  });
  for (const peer of links.connected()) up(peer);
}
