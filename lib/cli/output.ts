// What a command prints: bytes and lines on stdout, progress on a terminal's stderr.

/** Writes to stdout and waits until it is taken; a reader that went away (`| head`) ends the output without complaint. */
export async function print(data: string | Uint8Array<ArrayBuffer>): Promise<void> {
  try {
    await Bun.write(Bun.stdout, data);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPIPE")) throw error;
  }
}

export function printLine(line: string): Promise<void> {
  return print(`${line}\n`);
}

export function printJson(value: unknown): Promise<void> {
  return printLine(JSON.stringify(value));
}

/** Columns wide enough for their longest cell, two blanks between. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, Bun.stringWidth(cell));
  }
  const pad = (cell: string, at: number) => cell + " ".repeat((widths[at] ?? 0) - Bun.stringWidth(cell));
  return rows.map((row) => row.map(pad).join("  ").trimEnd()).join("\n");
}

/** A key or id on one line: control characters as JSON writes them. */
export function shown(text: string): string {
  return /\p{Cc}/u.test(text) ? JSON.stringify(text) : text;
}

export function bytesShown(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const kibibytes = bytes / 1024;
  return kibibytes < 1024 ? `${kibibytes.toFixed(1)} KiB` : `${(kibibytes / 1024).toFixed(1)} MiB`;
}

/** One line on a terminal, rewritten a few times a second; nothing where stderr is no terminal. */
export class Progress {
  readonly #began = performance.now();
  readonly #label: string;
  #shownAt = -Infinity;
  #done = 0;
  #bytes = 0;

  constructor(label: string) {
    this.#label = label;
  }

  add(bytes: number): void {
    this.#done++;
    this.#bytes += bytes;
    this.show(null);
  }

  /** `total` null = not known yet. */
  show(total: number | null): void {
    const now = performance.now();
    if (!process.stderr.isTTY || now - this.#shownAt < 200) return;
    this.#shownAt = now;
    const rate = Math.round(this.#done / Math.max(0.001, this.seconds));
    const of = total === null ? "" : ` of ${total}`;
    process.stderr.write(
      `\r\x1b[K${this.#label} ${this.#done}${of} · ${bytesShown(this.#bytes)} · ${rate}/s`,
    );
  }

  clear(): void {
    if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  }

  get done(): number {
    return this.#done;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }
}
