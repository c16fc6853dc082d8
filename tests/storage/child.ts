// A process for the tests to kill, or to look at. `bun child.ts open FOLDER` opens the log and says how that went; `bun
// child.ts write FOLDER` appends and applies for ever and prints `acknowledged N` after each commit; `bun child.ts few
// FOLDER` appends twenty times so, then commits a state once and prints `state committed`.
import { writeSync } from "node:fs";
import {
  nativeChecksum,
  openLogFile,
  openStateFile,
  StorageError,
  witnessFile,
} from "../../lib/storage/mod.ts";
import { openDurableLog } from "../../lib/replica/durable-log.ts";
import { openAppliedState } from "../../lib/replica/applied-state.ts";
import { appended, entriesFrom, text } from "./support.ts";

const [mode = "", folder = ""] = process.argv.slice(2);

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function open() {
  const opened = openDurableLog({
    table: openLogFile(folder),
    witness: witnessFile(folder),
    checksum: nativeChecksum,
  });
  if (!opened.ok) throw new Error(opened.corruption.reason);
  const state = openAppliedState({ store: openStateFile(folder) });
  if (!state.ok) throw new Error(state.corruption.reason);
  return { log: opened.log, state: state.state };
}

if (mode === "open") {
  try {
    say(`opened ${open().log.last().index}`);
  } catch (error) {
    say(error instanceof StorageError ? `${error.trouble}: ${error.message}` : String(error));
  }
} else if (mode === "few") {
  const { log, state } = open();
  for (let index = 1; index <= 20; index++) {
    await appended(log, entriesFrom(index, 1, 1), { currentTerm: 1, votedFor: null, withholdMs: 0 });
    say(`acknowledged ${index}`);
  }
  state.store.put(text("key"), text("value"));
  state.advance(1, 1, 10);
  state.commit((error) => {
    if (error !== null) throw error;
  });
  say("state committed");
} else {
  const { log, state } = open();
  for (;;) {
    const entries = entriesFrom(log.last().index + 1, 3, 1);
    await appended(log, entries, { currentTerm: 1, votedFor: null, withholdMs: 0 });
    say(`acknowledged ${log.last().index}`);
    for (
      const { index, term, time, data } of log.entries(
        state.applied().appliedIndex + 1,
        log.last().index,
        Infinity,
      )
    ) {
      state.store.put(text(`key ${index % 100}`), data);
      state.advance(index, term, time);
    }
    if (state.needsCommit(0, { entries: 40 })) {
      state.commit((error) => {
        if (error !== null) throw error;
      });
    }
  }
}
