// The JSON body of a request, checked against a schema; what is wrong is said in words for whoever wrote it.
import * as v from "valibot";
import { readBody } from "./body.ts";
import { DEFAULT_TIMEOUT_MS } from "./duration.ts";
import { bad, type Checked, good } from "./problem.ts";
import type { Services } from "./services.ts";

const MAX_JSON_BYTES = 64 * 1024;

/** An empty body is `{}`. */
export async function parseJson<S extends v.GenericSchema>(
  { admission }: Pick<Services, "admission">,
  request: Request,
  schema: S,
): Promise<Checked<v.InferOutput<S>>> {
  const bounds = { maxBytes: MAX_JSON_BYTES, timeoutMs: DEFAULT_TIMEOUT_MS, admission };
  const body = await readBody(request, bounds);
  if (!body.ok) return body;
  admission.release(body.value.reserved);
  let json: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body.value.bytes);
    json = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    return bad("invalid_request", "The body is not JSON.");
  }
  // To valibot an array is an object without the fields that were asked for.
  if (Array.isArray(json)) return bad("invalid_request", "The body is not a JSON object.");
  const parsed = v.safeParse(schema, json);
  return parsed.success ? good(parsed.output) : bad("invalid_request", issueSentence(parsed.issues[0]));
}

const KINDS: Readonly<Record<string, string>> = {
  string: "a text",
  array: "a list",
  boolean: "true or false",
  number: "a number",
};

function issueSentence(issue: v.BaseIssue<unknown>): string {
  const field = v.getDotPath(issue);
  if (field === null) return "The body is not a JSON object.";
  if (issue.expected === "never") return `There is no field "${field.slice(0, 64)}" here.`;
  if (issue.received === "undefined") return `The field "${field}" is missing.`;
  const kind = KINDS[issue.type];
  return kind === undefined ? `${field}: ${issue.message}.` : `${field}: ${kind} is expected.`;
}
