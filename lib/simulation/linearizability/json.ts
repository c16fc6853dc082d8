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

/** Text for people, cut where it gets long. */
export function shortText(text: string, maxLength = 40): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength - 1)}…`;
}
