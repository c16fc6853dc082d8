// Proof of the cluster secret without showing it: HMAC-SHA256 over a label for role and step, both challenges, and what
// both sides said of themselves. A proof taken from another handshake, the other role or the other step is worth nothing.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { ByteWriter } from "../bytes/mod.ts";

export const challengeBytes = 32;
export const proofBytes = 32;

export type ProofLabel = "dialler proves" | "listener proves" | "dialler confirms" | "refused";

/** What both sides have said so far; empty where it is not yet known. */
export type Transcript = {
  readonly diallerChallenge: Uint8Array;
  readonly listenerChallenge: Uint8Array;
  readonly diallerHello: Uint8Array;
  readonly listenerHello: Uint8Array;
};

export function newChallenge(): Uint8Array {
  return new Uint8Array(randomBytes(challengeBytes));
}

/** Without a secret (loopback only) the key is empty: the handshake still ties both identities together. */
export function prove(
  secret: string | null,
  label: ProofLabel,
  transcript: Transcript,
  more = "",
): Uint8Array {
  const writer = new ByteWriter(512).text("coracle peer").text(label)
    .bytes(transcript.diallerChallenge).bytes(transcript.listenerChallenge)
    .bytes(transcript.diallerHello).bytes(transcript.listenerHello).text(more);
  return new Uint8Array(createHmac("sha256", secret ?? "").update(writer.view()).digest());
}

/** In constant time. */
export function sameProof(given: Uint8Array, right: Uint8Array): boolean {
  return given.byteLength === right.byteLength && timingSafeEqual(given, right);
}
