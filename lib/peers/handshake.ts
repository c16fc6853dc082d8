// One side of a handshake as a state machine: bytes in, bytes and a verdict out; no sockets, no clock.
// Nothing but a challenge is told to anybody who has not proved the cluster secret, refusals included.
import { MalformedBytes } from "../bytes/mod.ts";
import type { LinkRefusal, PeerIdentity } from "../replica/ports.ts";
import {
  decodeHandshake,
  encodeHandshake,
  encodeIdentity,
  type HandshakeMessage,
  protocolVersion,
  type Purpose,
} from "./handshake-messages.ts";
import type { Admission } from "./options.ts";
import { prove, sameProof, type Transcript } from "./proof.ts";

export type RefusalCode =
  | "malformed"
  | "protocol_version"
  /** One side has a cluster secret and the other has none. */
  | "no_secret"
  | "wrong_secret"
  | "other_cluster"
  /** A node reached itself. */
  | "self"
  /** Another process has this node's identity: a copied data folder. */
  | "identity_in_use"
  | "not_admitted"
  /** Its data folder is a copy, or was rolled back: it does not go on from what is remembered of it. */
  | "stale_folder"
  /** Whether the process before it still lives is being found out; it may try again at once. */
  | "checking"
  /** It was only asked who is here, and it was told. */
  | "probed"
  /** A bulk link comes after a control link. */
  | "no_control"
  /** The dialler has such a link already; nothing is wrong. */
  | "already_linked";

/** `sentence` is for people. */
export type Refusal = { readonly code: RefusalCode; readonly sentence: string };

export type HandshakeStep =
  | { readonly type: "continue"; readonly send: Uint8Array<ArrayBuffer> | null }
  /** After `send` the socket carries frames. */
  | { readonly type: "open"; readonly send: Uint8Array<ArrayBuffer> | null; readonly peer: PeerIdentity }
  /** After `send` the socket is to be closed. `peer` where it has proved who it is. */
  | {
    readonly type: "refused";
    readonly send: Uint8Array<ArrayBuffer> | null;
    readonly refusal: Refusal;
    readonly peer: PeerIdentity | null;
  }
  /** The other side refused and has proved the secret. */
  | {
    readonly type: "refusedByPeer";
    readonly code: string;
    readonly sentence: string;
    readonly clusterId: string | null;
  };

export type HandshakeOptions = {
  readonly role: "dialler" | "listener";
  readonly purpose: Purpose;
  readonly own: PeerIdentity;
  readonly secret: string | null;
  /** 32 fresh random bytes. */
  readonly challenge: Uint8Array;
  /** Judges a peer that has proved the secret, is not this node, and is of no other cluster. */
  readonly admit: (peer: PeerIdentity) => Admission;
  /** Whether such a link is of use now, and its last process gone. null = yes. Asked before `admit`. */
  readonly wanted: (peer: PeerIdentity) => Refusal | null;
};

const nothing = new Uint8Array(0);

export class Handshake {
  readonly #options: HandshakeOptions;
  #transcript: Transcript;
  #peer: PeerIdentity | null = null;
  /** The message that may come next. */
  #expected: HandshakeMessage["type"] | null;
  /** Whether the other side has proved the secret. */
  #proved = false;

  constructor(options: HandshakeOptions) {
    this.#options = options;
    const dials = options.role === "dialler";
    this.#expected = dials ? "Challenge" : "Hello";
    const hello = encodeIdentity(options.own);
    this.#transcript = {
      diallerChallenge: dials ? options.challenge : nothing,
      listenerChallenge: dials ? nothing : options.challenge,
      diallerHello: dials ? hello : nothing,
      listenerHello: nothing,
    };
  }

  /** The other side has greeted as a replica does, and has still to answer our proof of the secret. */
  get proofUnanswered(): boolean {
    return this.#options.role === "dialler" && this.#expected === "Welcome";
  }

  /** What a dialler says first; null for a listener. */
  start(): Uint8Array<ArrayBuffer> | null {
    const { role, purpose, own, challenge, secret } = this.#options;
    if (role === "listener") return null;
    return encodeHandshake({ type: "Hello", hasSecret: secret !== null, purpose, challenge, peer: own });
  }

  /** Never throws, whatever the bytes are. */
  receive(bytes: Uint8Array): HandshakeStep {
    let message;
    try {
      message = decodeHandshake(bytes);
    } catch (error) {
      if (!(error instanceof MalformedBytes)) throw error;
      return this.#refuse("malformed", `it does not speak our protocol: ${error.message}`);
    }
    if (message.type === "OtherVersion") return this.#otherVersion(message.version);
    if (message.type === "Refusal" && this.#options.role === "listener" && this.#expected === "Confirm") {
      return this.#refusedByPeer(message);
    }
    if (message.type === "Refusal" && this.#expected === "Welcome") return this.#refusedByPeer(message);
    if (message.type !== this.#expected) {
      return this.#refuse(
        "malformed",
        `it sent ${message.type} where ${this.#expected ?? "nothing"} was due`,
      );
    }
    switch (message.type) {
      case "Hello":
        return this.#hello(message);
      case "Challenge":
        return this.#challenge(message);
      case "Proof":
        return this.#proof(message.proof);
      case "Welcome":
        return this.#welcome(message);
      case "Confirm":
        return this.#confirm(message.proof);
      case "Refusal":
        throw new Error("a refusal is never what was expected");
      default:
        throw new TypeError(`no rule for ${JSON.stringify(message satisfies never)}`);
    }
  }

  #hello(message: Extract<HandshakeMessage, { type: "Hello" }>): HandshakeStep {
    const { purpose, challenge, secret } = this.#options;
    if (message.purpose !== purpose) return this.#refuse("malformed", "it names two different channels");
    const refusal = this.#secretMismatch(message.hasSecret);
    // The challenge goes out all the same: its flag tells an operator over there what is wrong.
    const send = encodeHandshake({ type: "Challenge", hasSecret: secret !== null, challenge });
    if (refusal !== null) return { type: "refused", send, refusal, peer: null };
    this.#peer = message.peer;
    this.#transcript = {
      ...this.#transcript,
      diallerChallenge: message.challenge.slice(),
      diallerHello: encodeIdentity(message.peer),
    };
    this.#expected = "Proof";
    return { type: "continue", send };
  }

  #challenge(message: Extract<HandshakeMessage, { type: "Challenge" }>): HandshakeStep {
    const refusal = this.#secretMismatch(message.hasSecret);
    if (refusal !== null) return this.#refuse(refusal.code, refusal.sentence);
    this.#transcript = { ...this.#transcript, listenerChallenge: message.challenge.slice() };
    this.#expected = "Welcome";
    const proof = prove(this.#options.secret, "dialler proves", this.#transcript);
    return { type: "continue", send: encodeHandshake({ type: "Proof", proof }) };
  }

  #proof(proof: Uint8Array): HandshakeStep {
    const { secret, own } = this.#options;
    if (!sameProof(proof, prove(secret, "dialler proves", this.#transcript))) return this.#wrongSecret();
    this.#proved = true;
    const refusal = this.#isProbe ? null : this.#judge();
    if (refusal !== null) return this.#refuse(refusal.code, refusal.sentence);
    const hello = encodeIdentity(own);
    this.#transcript = { ...this.#transcript, listenerHello: hello };
    this.#expected = "Confirm";
    const answer = prove(secret, "listener proves", this.#transcript);
    const send = encodeHandshake({ type: "Welcome", hello, proof: answer });
    return this.#isProbe ? this.#probed(send) : { type: "continue", send };
  }

  #welcome(message: Extract<HandshakeMessage, { type: "Welcome" }>): HandshakeStep {
    const { secret } = this.#options;
    this.#transcript = { ...this.#transcript, listenerHello: message.hello.slice() };
    if (!sameProof(message.proof, prove(secret, "listener proves", this.#transcript))) {
      return this.#wrongSecret();
    }
    this.#proved = true;
    this.#peer = message.peer;
    if (this.#isProbe) return this.#probed(null);
    const refusal = this.#judge();
    if (refusal !== null) return this.#refuse(refusal.code, refusal.sentence);
    this.#expected = null;
    const proof = prove(secret, "dialler confirms", this.#transcript);
    return { type: "open", send: encodeHandshake({ type: "Confirm", proof }), peer: message.peer };
  }

  #confirm(proof: Uint8Array): HandshakeStep {
    const { secret } = this.#options;
    if (!sameProof(proof, prove(secret, "dialler confirms", this.#transcript))) return this.#wrongSecret();
    // Much may have happened since the first judgement: a bulk link whose control link is gone, say.
    const refusal = this.#judge();
    if (refusal !== null) return this.#refuse(refusal.code, refusal.sentence);
    this.#expected = null;
    return { type: "open", send: null, peer: this.#knownPeer() };
  }

  /** What there is to say against a peer that proved the secret; null = nothing. */
  #judge(): Refusal | null {
    const { own, admit, wanted } = this.#options;
    const peer = this.#knownPeer();
    if (peer.replica === own.replica) {
      return peer.nonce === own.nonce
        ? { code: "self", sentence: "a node reached itself" }
        : { code: "identity_in_use", sentence: `two processes are ${own.replica}: is a data folder copied?` };
    }
    if (peer.clusterId !== null && own.clusterId !== null && peer.clusterId !== own.clusterId) {
      const sentence =
        `${peer.replica} belongs to cluster ${peer.clusterId}, ${own.replica} to ${own.clusterId}`;
      return { code: "other_cluster", sentence };
    }
    // First: whom admit lets in it remembers, and then the process that was there before is the older one.
    const objection = wanted(peer);
    if (objection !== null) return objection;
    const admission = admit(peer);
    if (admission.ok) return null;
    return {
      code: admission.folder === "stale" ? "stale_folder" : "not_admitted",
      sentence: admission.reason,
    };
  }

  get #isProbe(): boolean {
    return this.#options.purpose === "probe";
  }

  #probed(send: Uint8Array<ArrayBuffer> | null): HandshakeStep {
    this.#expected = null;
    const refusal = { code: "probed", sentence: "it was only asked who is here" } as const;
    return { type: "refused", send, refusal, peer: this.#knownPeer() };
  }

  #secretMismatch(theirs: boolean): Refusal | null {
    const ours = this.#options.secret !== null;
    if (ours === theirs) return null;
    const sentence = ours
      ? "it has no cluster secret and this node has one: give it the same --secret"
      : "it has a cluster secret and this node has none: give this node the same --secret";
    return { code: "no_secret", sentence };
  }

  #wrongSecret(): HandshakeStep {
    return this.#refuse("wrong_secret", "it has another cluster secret than this node");
  }

  #otherVersion(version: number): HandshakeStep {
    const { role, challenge, secret } = this.#options;
    const sentence =
      `it speaks version ${version} of the peer protocol, this node version ${protocolVersion}`;
    // A challenge tells the version of this side, and nothing else that counts.
    const send = role === "listener" && this.#expected === "Hello"
      ? encodeHandshake({ type: "Challenge", hasSecret: secret !== null, challenge })
      : null;
    this.#expected = null;
    return { type: "refused", send, refusal: { code: "protocol_version", sentence }, peer: null };
  }

  #refuse(code: RefusalCode, reason: string): HandshakeStep {
    // A dialler that has confirmed is through with its handshake and would take words for a frame: it sees the socket close.
    const listens = this.#expected !== "Confirm" && this.#expected !== null;
    this.#expected = null;
    const { secret, own: { clusterId } } = this.#options;
    // It travels in one line of bounded length.
    const sentence = reason.replaceAll(/[\p{Cc}\s]+/gu, " ").slice(0, 1000);
    const refusal = { code, sentence };
    const peer = this.#proved ? this.#knownPeer() : null;
    if (peer === null || !listens) return { type: "refused", send: null, refusal, peer };
    const proof = prove(secret, "refused", this.#transcript, refusalText({ code, sentence, clusterId }));
    const send = encodeHandshake({ type: "Refusal", code, sentence, clusterId, proof });
    return { type: "refused", send, refusal, peer };
  }

  #refusedByPeer(message: Extract<HandshakeMessage, { type: "Refusal" }>): HandshakeStep {
    const { code, sentence, clusterId, proof } = message;
    const right = prove(this.#options.secret, "refused", this.#transcript, refusalText(message));
    if (!sameProof(proof, right)) return this.#wrongSecret();
    this.#expected = null;
    return { type: "refusedByPeer", code, sentence, clusterId };
  }

  #knownPeer(): PeerIdentity {
    if (this.#peer === null) throw new Error("a handshake reached its end without an identity");
    return this.#peer;
  }
}

/** What the proof of a refusal covers. */
function refusalText({ code, sentence, clusterId }: LinkRefusal): string {
  return `${code} ${clusterId ?? ""} ${sentence}`;
}
