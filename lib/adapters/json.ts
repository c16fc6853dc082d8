// JSON as the adapters need it: lines and datagrams of strangers, and values that are equal exactly when their texts are.

export type JsonObject = { readonly [field: string]: unknown };

/** null = not a JSON object. */
export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The one text of a JSON value: fields in the order of their names, no spaces. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => isObject(part) ? sorted(part) : part);
}

function sorted(object: JsonObject): JsonObject {
  // Without a prototype, so that a field "__proto__" is a field like any other.
  const result: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(object).sort()) result[name] = object[name];
  return result;
}
