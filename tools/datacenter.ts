// `npm run datacenter -- [--virtual [--slow MS] [--lifetime MS]] [--scenario N] [--times K] [--seed S]`: the seventeen
// scenarios of the course simulator, K times, with real processes or in virtual time (there also in another length, or on
// a busy machine, where each datagram waits for up to so long), as a table; exit 1 when a run fails or a replica did worse
// than it should.
import { parseArgs } from "node:util";
import { scenarios } from "../tests/adapters/datacenter-scenarios.ts";
import type { Report } from "../tests/adapters/datacenter-judge.ts";
import { runScenario } from "../tests/adapters/datacenter-simulator.ts";
import { runVirtually } from "../tests/adapters/datacenter-virtual.ts";

const { values } = parseArgs({
  options: {
    scenario: { type: "string" },
    virtual: { type: "boolean", default: false },
    slow: { type: "string", default: "0" },
    lifetime: { type: "string", default: "30000" },
    times: { type: "string", default: "1" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1e9)) },
    verbose: { type: "boolean", default: false },
  },
});

const chosen = scenarios.map((scenario, at) => ({ scenario, number: at + 1 }))
  .filter(({ number }) => values.scenario === undefined || number === Number(values.scenario));
if (chosen.length === 0) throw new Error(`--scenario is a number from 1 to ${scenarios.length}`);

// Whoever ends this ends the replicas too: the simulator kills them when its process exits.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const titles = [
  "scenario",
  "msgs",
  "dropped",
  "leaders",
  "dup",
  "fail",
  "redir",
  "unanswered",
  "median",
  "whole",
];
console.log(`seed ${values.seed}\n${line(titles)}`);
let bad = 0;
for (let time = 0; time < Number(values.times); time++) {
  for (const { scenario, number } of chosen) {
    const seed = Number(values.seed) + time * 100 + number;
    const report = values.virtual
      ? await runVirtually(scenario, seed, {
        slowMs: Number(values.slow),
        lifetimeMs: Number(values.lifetime),
      })
      : await runScenario(scenario, { seed });
    console.log(line(row(number, report)));
    if (values.verbose) console.log(report.byType, report.leaders, report.clients.duplicateReplies);
    const said = [...report.errors, ...report.complaints, ...report.slow];
    for (const each of said) console.log(`    ${each}`);
    if (said.length > 0) bad++;
  }
}
console.log(bad === 0 ? "all passed" : `${bad} runs did not pass`);
process.exitCode = bad === 0 ? 0 : 1;

function row(number: number, report: Report): string[] {
  const { scenario, messages, dropped, leaders, clients, unanswered, medianMs, medianRequestMs } = report;
  return [
    `${number} ${scenario.name}`,
    ...[messages, dropped, leaders.length, clients.duplicates, clients.fails, clients.redirects].map(String),
    `${unanswered.gets}/${unanswered.puts}`,
    `${medianMs.toFixed(2)} ms`,
    `${medianRequestMs.toFixed(2)} ms`,
  ];
}

function line([name = "", ...rest]: readonly string[]): string {
  return name.padEnd(46) + rest.map((part) => part.padStart(11)).join("");
}
