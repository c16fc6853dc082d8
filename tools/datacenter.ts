// `npm run datacenter -- [--scenario N] [--times K] [--seed S]`: the seventeen scenarios of the course simulator at full
// length, K times, as a table; exit 1 when a run fails or a replica did worse than it should.
import { parseArgs } from "node:util";
import { scenarios } from "../tests/adapters/datacenter-scenarios.ts";
import { type Report, runScenario } from "../tests/adapters/datacenter-simulator.ts";

const { values } = parseArgs({
  options: {
    scenario: { type: "string" },
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
    const report = await runScenario(scenario, { seed: Number(values.seed) + time * 100 + number });
    console.log(line(row(number, report)));
    if (values.verbose) console.log(report.byType, report.leaders, report.clients.duplicateReplies);
    for (const said of [...report.errors, ...report.complaints]) console.log(`    ${said}`);
    if (report.errors.length + report.complaints.length > 0) bad++;
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
