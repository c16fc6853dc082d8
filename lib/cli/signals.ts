// Ctrl-C and SIGTERM: the first asks for an orderly stop, a second one ends at once.

/** A terminal and a parent such as npm may both deliver the same Ctrl-C: within this time it counts as one. */
const oneKeypressMs = 300;

/** `stop` is called once, `force` for any further signal. Returns how to stop listening. */
export function onStopSignal(stop: (signal: string) => void, force: () => void): () => void {
  let firstAt: number | null = null;
  const received = (signal: string) => {
    const now = performance.now();
    if (firstAt === null) {
      firstAt = now;
      stop(signal);
    } else if (now - firstAt > oneKeypressMs) {
      force();
    }
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, received);
  return () => {
    for (const signal of signals) process.off(signal, received);
  };
}
