// The log: LogTape's levels and routing under the port `Log`; one line an event on stderr, for people or as JSON.
import { configureSync, getLogger, type LogRecord } from "@logtape/logtape";
import { writeSync } from "node:fs";
import type { Log, LogLevel } from "../replica/ports.ts";

export type LogFormat = "text" | "json";

/** Sets up the process's one log. */
export function openLog(level: LogLevel, format: LogFormat): Log {
  const line = format === "json" ? jsonLine : textLine;
  // What stderr reports later on, nobody waits for; unheard it would be an exception, and end the replica.
  process.stderr.on("error", () => {});
  configureSync({
    reset: true,
    sinks: { stderr: (record) => writeLine(line(record)) },
    loggers: [
      { category: "coracle", lowestLevel: level, sinks: ["stderr"] },
      { category: ["logtape", "meta"], lowestLevel: "warning", sinks: ["stderr"] },
    ],
  });
  const logger = getLogger("coracle");
  return (level, message, fields = {}) => {
    // Braces are placeholders to LogTape; a sentence of ours has none.
    logger[level](message.replace(/[{}]/g, "$&$&"), { ...fields });
  };
}

/** What may wait for a slow reader of the log; what comes on top is dropped. */
const maxWaitingBytes = 1024 * 1024;

/**
 * Synchronous, so that the last words of a process that ends at once are read. A line that cannot be written (a full
 * disk, a reader that has gone) is dropped: a replica is worth more than its log.
 */
function writeLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch (error) {
    // The reader of a non-blocking stderr is slow: let the runtime queue the line.
    const slow = error instanceof Error && Reflect.get(error, "code") === "EAGAIN";
    if (!slow || process.stderr.writableLength > maxWaitingBytes) return;
    process.stderr.write(`${line}\n`);
  }
}

function textLine(record: LogRecord): string {
  const level = record.level === "warning" ? "warn" : record.level;
  const fields = Object.entries(record.properties).map(([name, value]) => ` ${name}=${textValue(value)}`);
  return `${new Date(record.timestamp).toISOString()} ${level.padEnd(5)} ${oneLine(sentence(record))}${
    fields.join("")
  }`;
}

function jsonLine(record: LogRecord): string {
  const { time: _time, level: _level, message: _message, ...fields } = record.properties;
  return JSON.stringify({
    time: new Date(record.timestamp).toISOString(),
    level: record.level,
    message: sentence(record),
    ...fields,
  }, (_name, value) => plain(value));
}

function sentence(record: LogRecord): string {
  return record.message.map(String).join("");
}

function textValue(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(plain(value)) ?? String(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** Errors and large integers have no JSON of their own. */
function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? value.toString() : value;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}]+/gu, " ");
}
