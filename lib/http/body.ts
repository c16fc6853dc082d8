// Reading a request's body within three bounds: its own size, what the node holds at once, and the request's deadline.
// A Content-Length is counted before a byte is read; a chunked body as it comes.
import { concatBytes } from "../bytes/mod.ts";
import type { Admission } from "./admission.ts";
import { bad, type Checked, good, type Problem, problem } from "./problem.ts";

export type Body = {
  readonly bytes: Uint8Array;
  /** To be given back to the admission when the request is over. */
  readonly reserved: number;
};

const EMPTY: Checked<Body> = good({ bytes: new Uint8Array(), reserved: 0 });

/** When it fails, nothing stays reserved. The rest of an unread body is thrown away by the server. */
export async function readBody(
  request: Request,
  bounds: { readonly maxBytes: number; readonly timeoutMs: number; readonly admission: Admission },
): Promise<Checked<Body>> {
  if (request.body === null) return EMPTY;
  const declared = request.headers.get("content-length");
  const late = deadline(bounds.timeoutMs);
  try {
    return declared === null
      ? await readChunked(request.body, bounds, late.passed)
      : await readDeclared(request, Number(declared), bounds, late.passed);
  } finally {
    late.cancel();
  }
}

type Bounds = { readonly maxBytes: number; readonly admission: Admission };

async function readDeclared(
  request: Request,
  length: number,
  { maxBytes, admission }: Bounds,
  late: Promise<null>,
): Promise<Checked<Body>> {
  if (!(length <= maxBytes)) return tooLarge(maxBytes);
  if (!admission.reserve(length)) return { ok: false, problem: FULL };
  const bytes = await Promise.race([request.arrayBuffer().catch(brokenOff), late]);
  if (bytes instanceof ArrayBuffer && bytes.byteLength <= length) {
    return good({ bytes: new Uint8Array(bytes), reserved: length });
  }
  admission.release(length);
  return { ok: false, problem: bytes === null ? LATE : BROKEN };
}

async function readChunked(
  stream: ReadableStream<Uint8Array>,
  { maxBytes, admission }: Bounds,
  late: Promise<null>,
): Promise<Checked<Body>> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const give = (reason: Problem): Checked<Body> => {
    admission.release(length);
    // Nobody reads on; that the stream ends with an error then is of no interest to anyone.
    reader.cancel().catch(() => {});
    return { ok: false, problem: reason };
  };
  for (;;) {
    const step = await Promise.race([reader.read().catch(brokenOff), late]);
    if (step === null) return give(LATE);
    if (step === "broken") return give(BROKEN);
    if (step.done) return good({ bytes: joined(chunks), reserved: length });
    const more = step.value.byteLength;
    if (length + more > maxBytes) return give(tooLarge(maxBytes).problem);
    if (!admission.reserve(more)) return give(FULL);
    length += more;
    chunks.push(step.value);
  }
}

const FULL = problem("overloaded", "This node holds as many bytes of requests as it may; nothing was done.");
const LATE = problem("unavailable", "The body had not arrived by the deadline; nothing was done.");
const BROKEN = problem("invalid_request", "The body ended early.");

function tooLarge(maxBytes: number) {
  return bad("too_large", `The body has at most ${maxBytes} bytes.`);
}

/** The client went away in the middle of its body. */
function brokenOff(): "broken" {
  return "broken";
}

/** A body that came in one piece is not copied. */
function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first, second] = chunks;
  return first !== undefined && second === undefined ? first : concatBytes(chunks);
}

function deadline(ms: number): { readonly passed: Promise<null>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), ms);
  return { passed: promise, cancel: () => clearTimeout(timer) };
}
