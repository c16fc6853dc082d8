// Durations as people write them, in queries and in flags: `500ms`, `1.5s`, `2m`, `24h`, `7d`.

const unitsMs: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1_000, m: 60_000 },
  ...{ h: 3_600_000, d: 86_400_000 },
};

/** In milliseconds; null = no duration. */
export function parseDuration(text: string): number | null {
  const [, amount, unit = ""] = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const unitMs = unitsMs[unit];
  return unitMs === undefined ? null : Number(amount) * unitMs;
}
