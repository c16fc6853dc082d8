// A typed client for the HTTP contract, on nothing but fetch. It knows where to ask and what answers mean; whether a
// request may be sent again is the transport's to say.
import * as v from "valibot";
import {
  type Cluster,
  ClusterBody,
  DeleteBody,
  ItemHeaders,
  ListBody,
  parseJson,
  PutBody,
} from "./answers.ts";
import { OutcomeUnknown, ProblemError, UnexpectedAnswer } from "./errors.ts";
import { keyTarget, withQuery } from "./key-url.ts";
import { type Answer, type Request, Transport } from "./transport.ts";

export type ClientOptions = {
  /** Base URLs of nodes, tried in turn. */
  readonly urls: readonly string[];
  readonly token?: string | undefined;
  /** For each operation as a whole; 10,000 unless given. */
  readonly timeoutMs?: number | undefined;
};

export type PutOptions = {
  /** "text/plain; charset=utf-8" for a string and "application/octet-stream" for bytes unless given. */
  readonly contentType?: string | undefined;
  /** The revision that must be there; "*" = any. */
  readonly ifMatch?: number | "*" | undefined;
  /** "*": there must be no such key. */
  readonly ifNoneMatch?: "*" | undefined;
};

export type ReadOptions = {
  readonly consistency?: "linearizable" | "lease" | "stale" | undefined;
  /** With "stale" only. */
  readonly maxStalenessMs?: number | undefined;
};

export type ListOptions = ReadOptions & {
  readonly prefix?: string | undefined;
  /** Inclusive. */
  readonly start?: string | undefined;
  /** Exclusive. */
  readonly end?: string | undefined;
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
  readonly reverse?: boolean | undefined;
  readonly keysOnly?: boolean | undefined;
};

export type PutResult = v.InferOutput<typeof PutBody> & { readonly created: boolean };

export type DeleteResult = v.InferOutput<typeof DeleteBody>;

export type Item = {
  readonly key: string;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
  readonly revision: number;
  readonly createRevision: number;
  readonly version: number;
};

/** `value` is null with `keysOnly`. */
export type ListedItem = Omit<Item, "value"> & { readonly value: Uint8Array<ArrayBuffer> | null };

export type Page = {
  readonly revision: number;
  readonly items: readonly ListedItem[];
  /** For the next page; null = this was the last one. */
  readonly cursor: string | null;
};

/** Deletions under way at once while a prefix with many keys is deleted in steps. */
const DELETES_AT_ONCE = 16;

/** All methods throw ProblemError and Unreachable; those that write OutcomeUnknown, those that read UnexpectedAnswer. */
export class Client {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport({ timeoutMs: 10_000, ...defined(options) });
  }

  /** ProblemError 412 "precondition_failed" where a condition does not hold. */
  async put(
    key: string,
    value: Uint8Array<ArrayBuffer> | string,
    options: PutOptions = {},
  ): Promise<PutResult> {
    const contentType = options.contentType ??
      (typeof value === "string" ? "text/plain; charset=utf-8" : "application/octet-stream");
    const headers = { "content-type": contentType, ...conditionHeaders(options) };
    const answer = await this.send({ method: "PUT", target: keyTarget(key), headers, body: value });
    return { ...understoodWrite(PutBody, answer), created: answer.status === 201 };
  }

  /** null = there is no such key. */
  async get(key: string, options: ReadOptions = {}): Promise<Item | null> {
    const target = withQuery(keyTarget(key), readQuery(options));
    const answer = await this.send({ method: "GET", target }).catch((error: unknown) => {
      if (error instanceof ProblemError && error.code === "not_found") return null;
      throw error;
    });
    if (answer === null) return null;
    const fields = understood(ItemHeaders, {
      revision: answer.headers.get("etag"),
      createRevision: answer.headers.get("coracle-create-revision"),
      version: answer.headers.get("coracle-version"),
      contentType: answer.headers.get("content-type") ?? "",
    });
    return { key, value: answer.body, ...fields };
  }

  /** `deleted` is 0 where there was no such key. */
  async delete(key: string, options: Pick<PutOptions, "ifMatch"> = {}): Promise<DeleteResult> {
    const headers = conditionHeaders(options);
    return understoodWrite(
      DeleteBody,
      await this.send({ method: "DELETE", target: keyTarget(key), headers }),
    );
  }

  /** All keys with this prefix: at once where the cluster allows it, else in steps, which others may see. */
  async deletePrefix(prefix: string): Promise<DeleteResult> {
    let deleted = 0;
    for (;;) {
      try {
        const target = withQuery("/v1/kv", { prefix });
        const rest = understoodWrite(DeleteBody, await this.send({ method: "DELETE", target }));
        return { ...rest, deleted: deleted + rest.deleted };
      } catch (error) {
        if (!(error instanceof ProblemError) || error.status !== 413) throw error;
        const { items } = await this.list({ prefix, limit: 1000, keysOnly: true });
        if (items.length === 0) throw error;
        deleted += await this.#deleteAll(items.map((item) => item.key));
      }
    }
  }

  async #deleteAll(keys: string[]): Promise<number> {
    let deleted = 0;
    const one = async () => {
      for (let key = keys.pop(); key !== undefined; key = keys.pop()) {
        const result = await this.delete(key);
        // Added after the wait: `deleted += await …` would add to what it was before.
        deleted += result.deleted;
      }
    };
    await Promise.all(Array.from({ length: DELETES_AT_ONCE }, one));
    return deleted;
  }

  async list(options: ListOptions = {}): Promise<Page> {
    const { prefix, start, end, limit, cursor, reverse, keysOnly } = options;
    // Without any of its parameters the route would not know that a listing is meant.
    const range = { prefix: prefix ?? "", start, end, limit, cursor, reverse, keys_only: keysOnly };
    const target = withQuery("/v1/kv", { ...range, ...readQuery(options) });
    const body = understood(ListBody, parseJson((await this.send({ method: "GET", target })).body));
    const items = body.items.map(({ value, encoding, ...item }) => ({
      ...item,
      value: typeof value === "string" ? decodeValue(value, encoding) : null,
    }));
    return { revision: body.revision, items, cursor: body.cursor ?? null };
  }

  /** Every item of a listing, page by page: a key that was there all the time appears exactly once. */
  async *listAll(options: Omit<ListOptions, "cursor"> = {}): AsyncGenerator<ListedItem, void, void> {
    let cursor: string | null = null;
    do {
      const page: Page = await this.list({ ...options, ...(cursor === null ? {} : { cursor }) });
      yield* page.items;
      cursor = page.cursor;
    } while (cursor !== null);
  }

  /** What the node that answers knows of the cluster. */
  async cluster(): Promise<Cluster> {
    return understood(
      ClusterBody,
      parseJson((await this.send({ method: "GET", target: "/v1/cluster" })).body),
    );
  }

  /** Any request of the contract, under the same rules about sending it again. Everything but GET counts as a write. */
  send(request: Request): Promise<Answer> {
    return this.#transport.send(request);
  }
}

function conditionHeaders({ ifMatch, ifNoneMatch }: PutOptions): Record<string, string> {
  return {
    ...(ifMatch === undefined ? {} : { "if-match": ifMatch === "*" ? "*" : `"${ifMatch}"` }),
    ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
  };
}

function readQuery({ consistency, maxStalenessMs }: ReadOptions): Record<string, string | undefined> {
  return { consistency, max_staleness: maxStalenessMs === undefined ? undefined : `${maxStalenessMs}ms` };
}

function understood<Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, input);
  if (parsed.success) return parsed.output;
  const path = v.getDotPath(parsed.issues[0]);
  throw new UnexpectedAnswer(
    `not an answer of Coracle${path === null ? "" : `, at ${path}`}: ${parsed.issues[0].message}`,
  );
}

/** Something took the write and answered 2xx, but not as we know it: whether it is done is anybody's guess. */
function understoodWrite<Schema extends v.GenericSchema>(
  schema: Schema,
  answer: Answer,
): v.InferOutput<Schema> {
  try {
    return understood(schema, parseJson(answer.body));
  } catch (error) {
    throw new OutcomeUnknown("the write was answered, but not as Coracle does", { cause: error });
  }
}

function decodeValue(value: string, encoding: "utf8" | "base64"): Uint8Array<ArrayBuffer> {
  if (encoding === "utf8") return new TextEncoder().encode(value);
  try {
    return Uint8Array.fromBase64(value);
  } catch (error) {
    throw new UnexpectedAnswer("a value that is not base64", { cause: error });
  }
}

/** Without the fields that are undefined, so that they do not hide defaults. */
function defined({ urls, token, timeoutMs }: ClientOptions) {
  return { urls, token, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}
