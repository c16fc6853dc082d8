// A hand-made other end: speaks the handshake of lib/peers over a bare WebSocket, and after it whatever a test likes.
import { Handshake } from "../../lib/peers/handshake.ts";
import { newChallenge } from "../../lib/peers/proof.ts";
import type { Channel, PeerIdentity } from "../../lib/replica/ports.ts";

export type RawSocket = {
  readonly said: Uint8Array[];
  send(bytes: Uint8Array<ArrayBuffer> | string): void;
  /** What came next. */
  next(): Promise<Uint8Array>;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  close(): void;
};

export async function rawSocket(url: string, channel: Channel = "control"): Promise<RawSocket> {
  const socket = new WebSocket(`${url.replace("http", "ws")}/v1/peer?channel=${channel}`);
  socket.binaryType = "arraybuffer";
  const said: Uint8Array[] = [];
  const arrivals: Uint8Array[] = [];
  let wake = () => {};
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
    said.push(new Uint8Array(data));
    arrivals.push(new Uint8Array(data));
    wake();
  };
  const closed = new Promise<number>((resolve) => socket.onclose = ({ code }) => (resolve(code), wake()));
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error("the upgrade was refused"));
  });
  return {
    said,
    closed,
    send: (bytes) => socket.send(bytes),
    next: async () => {
      for (;;) {
        const first = arrivals.shift();
        if (first !== undefined) return first;
        if (socket.readyState !== WebSocket.OPEN) throw new Error("closed");
        await new Promise<void>((resolve) => wake = resolve);
      }
    },
    close: () => socket.close(),
  };
}

/** Goes through the handshake as a dialler; `sent` is what it said. */
export async function rawPeer(
  url: string,
  own: PeerIdentity,
  secret: string | null,
  channel: Channel = "control",
) {
  const socket = await rawSocket(url, channel);
  const handshake = new Handshake({
    ...{ role: "dialler", purpose: channel, own, secret, challenge: newChallenge() },
    ...{ admit: () => ({ ok: true }), wanted: () => null },
  });
  const sent: Uint8Array<ArrayBuffer>[] = [];
  const say = (bytes: Uint8Array<ArrayBuffer> | null) => {
    if (bytes === null) return;
    sent.push(bytes);
    socket.send(bytes);
  };
  say(handshake.start());
  for (;;) {
    const step = handshake.receive(await socket.next());
    if (step.type === "refusedByPeer") throw new Error(`refused: ${step.code}`);
    say(step.send);
    if (step.type === "refused") throw new Error(`refused it: ${step.refusal.code}`);
    if (step.type === "open") return { socket, sent, peer: step.peer };
  }
}
