// What all client commands share: --url, --token, --timeout, --json, and how a client's trouble is told to a person.
import type { Command } from "commander";
import * as v from "valibot";
import {
  Client,
  InvalidHeader,
  OutcomeUnknown,
  ProblemError,
  UnexpectedAnswer,
  Unreachable,
} from "../client/mod.ts";
import { nodeUrl } from "./addresses.ts";
import { Failure } from "./failure.ts";
import { declare, list, type Settings, text, toggle, valuesOf, wholeNumber } from "./settings.ts";

const settings = {
  urls: {
    flags: "--url <urls>",
    variables: ["CORACLE_URL"],
    help: "nodes to ask, comma-separated, tried in turn (default: http://127.0.0.1:8080)",
    schema: v.pipe(
      list(),
      v.transform((urls) => urls.length === 0 ? ["http://127.0.0.1:8080"] : urls),
      v.array(v.pipe(
        v.string(),
        v.check((url) => nodeUrl(url) !== null, "a URL such as http://127.0.0.1:8080 is expected"),
      )),
    ),
  },
  token: {
    flags: "--token <token>",
    variables: ["CORACLE_TOKEN", "TOKEN"],
    help: "bearer token to show",
    // TOKEN may hold several for a server; one is enough here.
    schema: v.pipe(text(), v.transform((value) => value?.split(",")[0]?.trim() ?? null)),
  },
  timeoutMs: {
    flags: "--timeout-ms <ms>",
    variables: ["CORACLE_TIMEOUT_MS"],
    help: "how long one operation may take (default: 10000)",
    schema: wholeNumber(10_000, 1, 600_000),
  },
  json: { flags: "--json", variables: [], help: "print JSON", schema: toggle() },
} satisfies Settings;

export type Session = {
  readonly client: Client;
  readonly urls: readonly string[];
  readonly token: string | null;
  readonly timeoutMs: number;
  readonly json: boolean;
};

/** Declares the shared flags and runs `action` with a client; the action's arguments stand in `command.args`. */
export function clientCommand(
  command: Command,
  action: (session: Session, command: Command) => Promise<void>,
): void {
  declare(command, settings).action(async () => {
    const { urls, token, timeoutMs, json } = valuesOf(settings, command, process.env);
    const client = clientOf({ urls, token, timeoutMs });
    try {
      await action({ client, urls, token, timeoutMs, json }, command);
    } catch (error) {
      throw asFailure(error, urls);
    }
  });
}

export function clientOf({ urls, token, timeoutMs }: Pick<Session, "urls" | "token" | "timeoutMs">): Client {
  return new Client({ urls, timeoutMs, ...(token === null ? {} : { token }) });
}

/** One line for a person; what is not the cluster's or the network's doing is passed on as it is. */
export function asFailure(error: unknown, urls: readonly string[]): unknown {
  if (error instanceof ProblemError) return new Failure(problemLine(error));
  if (error instanceof OutcomeUnknown) {
    return new Failure(`${error.message} (outcome_unknown): look what is there, or send it again`);
  }
  if (error instanceof Unreachable) {
    const why = /ECONNREFUSED|ConnectionRefused/.test(error.message) ? "connection refused" : error.message;
    return new Failure(`no node answers at ${urls.join(", ")} (${why}): start one, or give --url`);
  }
  if (error instanceof UnexpectedAnswer) {
    return new Failure(`${error.message}: is ${urls.join(", ")} really Coracle?`);
  }
  if (error instanceof InvalidHeader) return new Failure(error.message, 2);
  return error instanceof URIError ? new Failure("a key must be UTF-8 text", 2) : error;
}

export function problemLine(error: ProblemError): string {
  const advice = error.status === 401 ? ": give --token" : "";
  return `${error.message.replace(/\.$/, "")} (${error.code || `HTTP ${error.status}`})${advice}`;
}
