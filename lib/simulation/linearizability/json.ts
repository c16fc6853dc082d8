// Plain JSON in histories: a canonical text to compare values by, and careful looks inside unknown data.

export type JsonObject = { readonly [name: string]: unknown };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Equal values give equal text, whatever the order of their fields. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  const fields = Object.keys(value).sort().map((name) =>
    `${JSON.stringify(name)}:${canonicalJson(value[name])}`
  );
  return `{${fields.join(",")}}`;
}

/** Undefined stays undefined; anything but a safe whole number is "wrong". */
export function optionalInteger(value: unknown): number | undefined | "wrong" {
  if (value === undefined || value === null) return undefined;
  return typeof value === "number" && Number.isSafeInteger(value) ? value : "wrong";
}

/** The fields that an operation's input and output may have. */
export type Fields = { readonly input: readonly string[]; readonly output: readonly string[] };

/** What is wrong with any other field, or null: passed over, a misspelt one would make it another history. */
export function strangeField(
  op: unknown,
  { input, output }: { readonly input: JsonObject; readonly output: JsonObject | undefined },
  fields: Fields,
): string | null {
  const operation = `${/^[aeiou]/.test(String(op)) ? "an" : "a"} ${op}`;
  for (
    const [side, object, allowed] of [["input", input, fields.input], [
      "output",
      output,
      fields.output,
    ]] as const
  ) {
    const strange = Object.keys(object ?? {}).find((name) => !allowed.includes(name));
    if (strange === undefined) continue;
    const only = allowed.length === 0 ? "it has no fields" : `only ${allowed.join(", ")}`;
    return `the ${side} of ${operation} has no ${strange}, ${only}`;
  }
  return null;
}

/** Undefined stays undefined; anything but true and false is "wrong". */
export function optionalFlag(value: unknown): boolean | undefined | "wrong" {
  return value === undefined || typeof value === "boolean" ? value : "wrong";
}

/** Text for people, cut where it gets long. */
export function shortText(text: string, maxLength = 40): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}
