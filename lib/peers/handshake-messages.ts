// The messages of a handshake and their bytes. Magic and protocol version come first in each and never change, so that
// nodes of different versions can at least tell that.
//
//   Hello      dialler → listener   who I am, and a challenge
//   Challenge  listener → dialler   a challenge; nothing else is told to a stranger
//   Proof      dialler → listener   I know the secret
//   Welcome    listener → dialler   who I am; I know it, too
//   Confirm    dialler → listener   I take you for who you say; from now on frames
//              (a probe ends here: the dialler wanted to know who is there, and nothing is judged)
//   Refusal    both                 why not; only after the other side has proved the secret
import { ByteReader, ByteWriter, MalformedBytes } from "../bytes/mod.ts";
import type { Channel, PeerIdentity } from "../replica/ports.ts";
import { challengeBytes, proofBytes } from "./proof.ts";

/** 2: identities show earlier starts, refusals name the cluster, AppendEntries says for how long votes are withheld. */
export const protocolVersion = 2;

/** A longer message is none of a handshake. */
export const maxHandshakeBytes = 8 * 1024;

/** Of earlier starts; more than any node shows. */
const maxNonces = 256;

const magic = 0x4c435243; // "CRCL"

/** What the dialler is after: a channel, or only to know who is there; then both sides end after Welcome. */
export type Purpose = Channel | "probe";

export type HandshakeMessage =
  | {
    readonly type: "Hello";
    readonly hasSecret: boolean;
    readonly purpose: Purpose;
    readonly challenge: Uint8Array;
    readonly peer: PeerIdentity;
  }
  | { readonly type: "Challenge"; readonly hasSecret: boolean; readonly challenge: Uint8Array }
  | { readonly type: "Proof"; readonly proof: Uint8Array }
  | {
    readonly type: "Welcome";
    readonly peer: PeerIdentity;
    readonly hello: Uint8Array;
    readonly proof: Uint8Array;
  }
  | { readonly type: "Confirm"; readonly proof: Uint8Array }
  | {
    readonly type: "Refusal";
    readonly code: string;
    readonly sentence: string;
    /** Of whoever refuses; null = it is in none. */
    readonly clusterId: string | null;
    readonly proof: Uint8Array;
  };

/** The other side speaks another version of the protocol; nothing more can be read. */
export type OtherVersion = { readonly type: "OtherVersion"; readonly version: number };

type Written = HandshakeMessage | {
  readonly type: "Welcome";
  readonly hello: Uint8Array;
  readonly proof: Uint8Array;
};

const codes = { Hello: 1, Challenge: 2, Proof: 3, Welcome: 4, Confirm: 5, Refusal: 6 } as const;

/** By their numbers on the wire. */
const purposes: readonly Purpose[] = ["control", "bulk", "probe"];

export function encodeHandshake(message: Written, version = protocolVersion): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(512).u32(magic).varint(version).u8(codes[message.type]);
  switch (message.type) {
    case "Hello":
      writer.boolean(message.hasSecret).u8(purposes.indexOf(message.purpose)).raw(message.challenge);
      writer.bytes(encodeIdentity(message.peer));
      break;
    case "Challenge":
      writer.boolean(message.hasSecret).raw(message.challenge);
      break;
    case "Proof":
    case "Confirm":
      writer.raw(message.proof);
      break;
    case "Welcome":
      writer.bytes(message.hello).raw(message.proof);
      break;
    case "Refusal":
      writer.text(message.code).text(message.sentence).text(message.clusterId ?? "").raw(message.proof);
      break;
    default:
      throw new TypeError(`no codec for ${JSON.stringify(message satisfies never)}`);
  }
  return writer.finish();
}

/** Throws MalformedBytes on anything that is no handshake message. */
export function decodeHandshake(bytes: Uint8Array): HandshakeMessage | OtherVersion {
  if (bytes.byteLength > maxHandshakeBytes) throw new MalformedBytes("a handshake message of too many bytes");
  const reader = new ByteReader(bytes);
  if (reader.u32() !== magic) throw new MalformedBytes("no peer of ours");
  const version = reader.varint();
  if (version !== protocolVersion) return { type: "OtherVersion", version };
  const message = readBody(reader);
  reader.end();
  return message;
}

function readBody(reader: ByteReader): HandshakeMessage {
  const code = reader.u8();
  switch (code) {
    case codes.Hello:
      return {
        type: "Hello",
        hasSecret: reader.boolean(),
        purpose: purpose(reader),
        challenge: reader.raw(challengeBytes),
        peer: decodeIdentity(reader.bytes()),
      };
    case codes.Challenge:
      return { type: "Challenge", hasSecret: reader.boolean(), challenge: reader.raw(challengeBytes) };
    case codes.Proof:
      return { type: "Proof", proof: reader.raw(proofBytes) };
    case codes.Welcome: {
      const hello = reader.bytes();
      return { type: "Welcome", hello, peer: decodeIdentity(hello), proof: reader.raw(proofBytes) };
    }
    case codes.Confirm:
      return { type: "Confirm", proof: reader.raw(proofBytes) };
    case codes.Refusal:
      return {
        type: "Refusal",
        code: text(reader, 64),
        sentence: text(reader, 1024),
        clusterId: text(reader, 128) || null,
        proof: reader.raw(proofBytes),
      };
    default:
      throw new MalformedBytes(`a handshake message of unknown type ${code}`);
  }
}

export function encodeIdentity(peer: PeerIdentity): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter().text(peer.replica).boolean(peer.clusterId !== null);
  if (peer.clusterId !== null) writer.text(peer.clusterId);
  writer.varint(peer.bootCount).text(peer.nonce).varint(peer.earlier.length);
  for (const nonce of peer.earlier) writer.text(nonce);
  return writer.text(peer.url).text(peer.version).finish();
}

function decodeIdentity(bytes: Uint8Array): PeerIdentity {
  const reader = new ByteReader(bytes);
  const replica = text(reader, 256);
  if (replica === "") throw new MalformedBytes("a peer without a name");
  const identity = {
    replica,
    clusterId: reader.boolean() ? text(reader, 128) : null,
    bootCount: reader.varint(),
    nonce: text(reader, 128),
    earlier: nonces(reader),
    url: text(reader, 2048),
    version: text(reader, 128),
  };
  reader.end();
  return identity;
}

function purpose(reader: ByteReader): Purpose {
  const number = reader.u8();
  const known = purposes[number];
  if (known === undefined) throw new MalformedBytes(`a handshake for purpose ${number}`);
  return known;
}

function nonces(reader: ByteReader): string[] {
  const count = reader.varint();
  if (count > maxNonces) throw new MalformedBytes(`${count} starts`);
  return Array.from({ length: count }, () => text(reader, 32));
}

/** Names come into log lines and status pages: no control characters. */
function text(reader: ByteReader, maxLength: number): string {
  const value = reader.text();
  if (value.length > maxLength) throw new MalformedBytes(`a text of ${value.length} characters`);
  // deno-lint-ignore no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(value)) throw new MalformedBytes("a control character in a text");
  return value;
}
