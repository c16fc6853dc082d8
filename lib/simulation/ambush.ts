// Ambushes: a fault that waits for a step which must not be forgotten, and strikes in the middle of it.
import { cut } from "./cut.ts";
import type { PeerMessage } from "../replica/peer-messages.ts";
import type { Fault } from "./faults.ts";
import type { Release } from "./holds.ts";
import type { NemesisSurroundings } from "./nemesis.ts";
import type { SimulatedNode } from "./node.ts";
import type { RandomSource } from "./random.ts";

type Ambush = Extract<Fault, { type: "ambush" }>;

/** `prey` is the name of a node, null = the first that takes the step. `struck` is told when it strikes, which may be never. */
export function lieInWait<Query, Answer>(
  { network, nodes, timeline }: NemesisSurroundings<Query, Answer>,
  { on, action }: Ambush,
  prey: string | null,
  random: RandomSource,
  struck: () => void,
): Release {
  let end: Release | null = null;
  let over = false;
  const strike = (node: SimulatedNode<Query, Answer>) => {
    const { process } = node;
    if (over || end !== null || process === null) return;
    struck();
    if (action === "crash") {
      end = node.keepDown();
      node.crash(true);
    } else if (action === "pause") {
      const resume = process.pause();
      end = () => resume(random.chance(0.5));
    } else {
      const others = nodes.map(({ name }) => name).filter((name) => name !== node.name);
      end = cut(network, [node.name], others, undefined, random);
    }
  };
  const lurk = (from: string, message: PeerMessage) => {
    if (end !== null || (prey !== null && prey !== from) || !takesStep(on, message)) return;
    const node = nodes.find(({ name }) => name === from);
    if (node === undefined) return;
    network.onSend.delete(lurk);
    // In the middle of its turn, or while its disk is still at it.
    if (random.chance(0.5)) strike(node);
    else timeline.after(random.between(0, 4), () => strike(node));
  };
  network.onSend.add(lurk);
  return () => {
    over = true;
    network.onSend.delete(lurk);
    end?.();
  };
}

function takesStep(step: Ambush["on"], message: PeerMessage): boolean {
  switch (step) {
    case "vote":
      return message.type === "RequestVoteReply" && message.granted && !message.preVote;
    case "campaign":
      return message.type === "RequestVote" && !message.preVote;
    case "lead":
      return message.type === "AppendEntries" && message.entries[0]?.term === message.term &&
        message.prevLogTerm < message.term;
    case "acknowledge":
      return message.type === "AppendEntriesReply" && message.success;
  }
}
