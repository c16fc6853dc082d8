// One WebSocket, accepted or dialled, behind the same few functions; the only place that knows the two kinds of Bun's.
import type { LinkLimits, PeerSocketData } from "./options.ts";

/** What a socket calls. */
export type SocketEvents = {
  /** The socket can be written to. */
  open(wire: Wire): void;
  /** A text is given as null: peers never send one. The bytes are the receiver's to keep. */
  receive(bytes: Uint8Array | null): void;
  /** Once, whoever closed it. */
  closed(code: number, reason: string): void;
};

export type Wire = {
  /** False: the socket dropped the bytes. They are copied before it returns. */
  send(bytes: Uint8Array<ArrayBuffer>): boolean;
  /** Bytes handed over and not yet with the kernel. */
  buffered(): number;
  /** After what was sent. */
  close(code: number, reason: string): void;
  /** At once. */
  terminate(): void;
};

/** For Bun.serve: every accepted socket finds its events in its data. */
export function acceptedSockets(limits: LinkLimits): Bun.WebSocketHandler<PeerSocketData> {
  return {
    open: (socket) => socket.data.events.open(acceptedWire(socket)),
    message: (socket, message) =>
      socket.data.events.receive(
        typeof message === "string"
          ? null
          : new Uint8Array(message.buffer, message.byteOffset, message.byteLength),
      ),
    close: (socket, code, reason) => socket.data.events.closed(code, reason),
    maxPayloadLength: limits.maxFrameBytes,
    // The bound that counts is kept by the link; this one lies above it, and reaching it closes the link.
    backpressureLimit: Math.min(2 ** 32 - 1, limits.bulkBytes * limits.hardFactor + limits.maxFrameBytes * 2),
    perMessageDeflate: false,
    // Links keep themselves alive and notice silence; this is a second net.
    idleTimeout: 120,
    sendPings: false,
  };
}

function acceptedWire(socket: Bun.ServerWebSocket<PeerSocketData>): Wire {
  return {
    // −1 is "queued", 0 is "dropped".
    send: (bytes) => socket.sendBinary(bytes) !== 0,
    buffered: () => socket.getBufferedAmount(),
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
}

// The DOM's types know neither Bun's options nor terminate().
const DialledSocket = WebSocket as unknown as new (
  url: string,
  options: { perMessageDeflate: boolean },
) => WebSocket & { terminate(): void };

/** Begins to connect; `events.open` follows, or `closed` alone. The wire returned can already be terminated. */
export function dialSocket(url: string, events: SocketEvents): Wire {
  const socket = new DialledSocket(url, { perMessageDeflate: false });
  socket.binaryType = "arraybuffer";
  const wire: Wire = {
    send: (bytes) => {
      if (socket.readyState !== WebSocket.OPEN) return false;
      socket.send(bytes);
      return true;
    },
    buffered: () => socket.bufferedAmount,
    close: (code, reason) => socket.close(code, reason),
    terminate: () => socket.terminate(),
  };
  let trouble = "";
  socket.onopen = () => events.open(wire);
  socket.onmessage = ({ data }: MessageEvent<unknown>) =>
    events.receive(data instanceof ArrayBuffer ? new Uint8Array(data) : null);
  socket.onerror = (event) => {
    trouble = "message" in event && typeof event.message === "string" ? event.message : "";
  };
  socket.onclose = ({ code, reason }) => events.closed(code, reason || trouble);
  return wire;
}
