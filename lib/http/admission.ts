// How much this node takes on at once: requests, and bytes of their bodies. Past the bound it refuses early, which costs
// little, instead of growing.

export class Admission {
  readonly #maxRequests: number;
  readonly #maxBytes: number;
  #requests = 0;
  #bytes = 0;

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = maxRequests;
    this.#maxBytes = maxBytes;
  }

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** False = full. Each true is paired with one `leave`. */
  enter(): boolean {
    if (this.#requests >= this.#maxRequests) return false;
    this.#requests++;
    return true;
  }

  leave(): void {
    this.#requests--;
  }

  /** Before these bytes are read. False = full. What was reserved is released when the request is over. */
  reserve(bytes: number): boolean {
    if (this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#bytes -= bytes;
  }
}
