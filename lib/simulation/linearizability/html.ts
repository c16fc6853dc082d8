// The explanation as one self-contained page: no scripts, nothing loaded, light and dark, and everything drawn
// is also there as a table, for screen readers and for copying.
import { type Bar, type Explanation, reasons, summary } from "./explain.ts";

/** A complete HTML document; `title` says which history it is about. */
export function explanationHtml(title: string, explanations: readonly Explanation[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: not linearizable</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escape(title)} <span class="verdict">not linearizable</span></h1>
${explanations.map(section).join("\n")}
</main>
</body>
</html>
`;
}

function section(explanation: Explanation, index: number): string {
  const { key, bars, earlier, later } = explanation;
  const heading = key === "" ? "The operations that cannot be ordered" : `Key <code>${escape(key)}</code>`;
  return `<section aria-labelledby="heading-${index}">
<h2 id="heading-${index}">${heading}</h2>
<p class="summary">${escape(summary(explanation))}.
An operation takes effect at one instant inside its bar; what ended before something else began comes first.</p>
${timeline(bars, index)}
${earlier + later === 0 ? "" : `<p class="summary">Not drawn: ${earlier} earlier, ${later} later.</p>`}
<ul class="reasons">${reasons(explanation).map((sentence) => `<li>${escape(sentence)}</li>`).join("\n")}</ul>
${order(explanation)}
<details><summary>As a table, with times</summary>
${table(bars)}
</details>
</section>`;
}

/** A grid: a row for each operation, a column line for each call and return, as wide as the labels need. */
function timeline(bars: readonly Bar[], index: number): string {
  const { lines, last } = gridLines(bars);
  const rows = bars.map((bar, row) => {
    const from = lines.get(`call ${row}`) ?? 1;
    const to = lines.get(`return ${row}`) ?? last;
    const kind = bar.blocked ? "bar blocked" : bar.return === null ? "bar unknown" : "bar";
    const end = bar.return === null ? "its outcome is unknown" : `to ${bar.return}`;
    const note = bar.blocked ? `<span class="mark">does not fit</span>` : "";
    return `<div class="client" style="grid-row:${row + 1}"><span>${escape(bar.client)}</span></div>
<div class="${kind}" style="grid-row:${row + 1};grid-column:${from + 1}/${to + 1}" title="${
      escape(`${bar.id}, from ${bar.call} ${end}`)
    }"><span class="id">${escape(bar.id)}</span> <span>${escape(bar.label)}</span>${note}</div>`;
  });
  return `<div class="scroll" tabindex="0" role="figure" aria-labelledby="heading-${index}">
<div class="timeline" style="grid-template-columns:max-content repeat(${last - 1},minmax(1.4rem,auto))">
${rows.join("\n")}
</div>
<p class="axis" aria-hidden="true">time →</p>
</div>`;
}

function gridLines(bars: readonly Bar[]): { lines: Map<string, number>; last: number } {
  const events = bars.flatMap((bar, row) => {
    const call = { time: bar.call, isReturn: false, row };
    return bar.return === null ? [call] : [call, { time: bar.return, isReturn: true, row }];
  }).sort((a, b) => a.time - b.time || Number(a.isReturn) - Number(b.isReturn));
  const lines = new Map(
    events.map(({ row, isReturn }, at) => [`${isReturn ? "return" : "call"} ${row}`, at + 1]),
  );
  return { lines, last: events.length + 1 };
}

function order({ order, state, blocked }: Explanation): string {
  if (order === null || order.length === 0) return "";
  const steps = order.map((step) => `<li>${escape(step)}</li>`).join("\n");
  return `<details><summary>The longest order found (${order.length} operations)</summary>
<ol>${steps}</ol>
<p>The state is then <code>${escape(state)}</code>; <strong>${
    escape(blocked)
  }</strong> is not possible in it.</p>
</details>`;
}

function table(bars: readonly Bar[]): string {
  const rows = bars.map((bar) =>
    `<tr${bar.blocked ? ' class="blocked"' : ""}><th scope="row">${escape(bar.id)}</th><td>${
      escape(bar.client)
    }</td><td>${escape(bar.label)}${bar.blocked ? " (does not fit)" : ""}</td><td>${bar.call}</td><td>${
      bar.return ?? "unknown"
    }</td></tr>`
  );
  return `<div class="scroll" tabindex="0"><table>
<thead><tr><th scope="col">Operation</th><th scope="col">Client</th><th scope="col">What</th><th scope="col">Call</th><th scope="col">Return</th></tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table></div>`;
}

const ENTITIES: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

const STYLE = `
:root { color-scheme: light dark; --ground: #fbfbf9; --ink: #1c2326; --soft: #5a666c; --line: #d5dbde;
  --bar: #d9e9f2; --bar-edge: #2f7399; --bad: #fbdcd8; --bad-edge: #b3261e; --open: #f3eccf; --open-edge: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --ground: #14191c; --ink: #e6ebed; --soft: #9fadb4; --line: #343f45;
  --bar: #1d3a4a; --bar-edge: #6bb3d9; --bad: #4a1f1c; --bad-edge: #ff8a80; --open: #3a3316; --open-edge: #d9bb4a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
.verdict { display: inline-block; font-size: .85rem; font-weight: 600; padding: .1rem .6rem; border-radius: 1rem;
  vertical-align: middle; color: var(--bad-edge); border: 1.5px solid var(--bad-edge); }
.summary, .axis { color: var(--soft); margin: .25rem 0 1rem; max-width: 46rem; }
code { font: .95em ui-monospace, monospace; }
.scroll { overflow-x: auto; padding: .25rem; }
.scroll:focus-visible { outline: 2px solid var(--bar-edge); }
.timeline { display: grid; row-gap: .45rem; width: max-content; min-width: 100%; }
.client { grid-column: 1; position: sticky; left: -.25rem; z-index: 1; background: var(--ground); padding: .3rem .9rem .3rem 0;
  color: var(--soft); font: .85rem ui-monospace, monospace; display: flex; align-items: center; }
.bar { background: var(--bar); border: 1.5px solid var(--bar-edge); border-radius: .35rem; padding: .25rem .6rem;
  font: .9rem ui-monospace, monospace; white-space: nowrap; display: flex; gap: .6rem; align-items: center; }
.bar .id { color: var(--soft); font-size: .8rem; }
.unknown { background: linear-gradient(to right, var(--open) 60%, transparent); border-color: var(--open-edge);
  border-style: dashed; border-right: 0; border-radius: .35rem 0 0 .35rem; }
.blocked.bar { background: var(--bad); border-color: var(--bad-edge); border-width: 2px; font-weight: 600; }
.mark { margin-left: auto; padding-left: 1rem; color: var(--bad-edge); font-size: .8rem; }
.axis { font-size: .85rem; margin: .5rem 0 0; text-align: right; max-width: none; }
.reasons { padding-left: 1.2rem; max-width: 46rem; overflow-wrap: anywhere; }
.reasons li { margin: .4rem 0; }
details { margin: .75rem 0; }
summary { cursor: pointer; color: var(--bar-edge); }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { text-align: left; padding: .3rem .9rem .3rem 0; border-bottom: 1px solid var(--line); }
td:nth-child(4), td:nth-child(5) { font-variant-numeric: tabular-nums; }
tr.blocked > * { color: var(--bad-edge); }
`;
