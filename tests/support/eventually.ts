// Waits for a condition with a deadline, never for a time: what has not come true by then fails with the last reason.

export type EventuallyOptions = {
  /** Default 10,000. */
  readonly deadlineMs?: number;
  /** What is waited for, for the message: "n2 has caught up". */
  readonly what: string;
  /** Pause between two attempts; default 20. */
  readonly everyMs?: number;
};

/**
 * Calls `attempt` until it neither throws nor gives false, null or undefined, and returns what it gave. Throws an Error
 * that says what was waited for, and why the last attempt was not it.
 */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { deadlineMs = 10_000, what, everyMs = 20 }: EventuallyOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    let trouble: unknown;
    try {
      const value = await attempt();
      if (value !== false && value !== null && value !== undefined) {
        return value as Exclude<T, false | null | undefined>;
      }
      trouble = `the last attempt gave ${value}`;
    } catch (error) {
      trouble = error instanceof Error ? error.message : error;
    }
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what} (${trouble})`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
