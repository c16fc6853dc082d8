// Ports for replicas that must know each other's before they start.

/**
 * So many ports on 127.0.0.1 that were free a moment ago. They are taken from below the range that the kernel gives to
 * outgoing connections: a node that was killed finds its port free again, not lent to some client meanwhile.
 */
export function freePorts(count: number): number[] {
  return holdPorts(count, () => draw());
}

/** The first of so many free ports in a row. */
export function freePortRange(count: number): number {
  for (let attempts = 0; attempts < 100; attempts++) {
    let next = draw();
    try {
      return holdPorts(count, () => next++, 0)[0] ?? next;
    } catch {
      // One of them is taken: another range.
    }
  }
  throw new Error(`no ${count} free ports in a row`);
}

function draw(): number {
  return 10_000 + Math.floor(Math.random() * 22_000);
}

/** All are held at once, so that none is given twice, and let go together. */
function holdPorts(count: number, candidate: () => number, misses = 1000): number[] {
  const held: Bun.TCPSocketListener[] = [];
  try {
    while (held.length < count) {
      const port = candidate();
      try {
        held.push(Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }));
      } catch (error) {
        if (misses-- <= 0) throw error;
      }
    }
    return held.map(({ port }) => port);
  } finally {
    for (const listener of held) listener.stop(true);
  }
}
