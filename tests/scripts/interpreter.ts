// Runs an interaction script: a command, `----`, the expected trace, a blank line. Lines beginning with # tell the story.
import { firstConfiguration, type Message, type Proposal } from "../../lib/raft/mod.ts";
import { showConfiguration, showEntry } from "./show.ts";
import { ScriptWorld } from "./world.ts";

type Block = { readonly lead: string; readonly command: string; readonly expected: string };

export function parseScript(text: string): Block[] {
  const blocks: Block[] = [];
  for (const part of text.replaceAll("\r", "").split(/\n\n+/)) {
    const [input = "", ...rest] = part.split(/^----\n?/m);
    if (rest.length === 0) {
      if (part.trim() !== "") blocks.push({ lead: `${part.trim()}\n\n`, command: "", expected: "" });
      continue;
    }
    const lines = input.trim().split("\n");
    const lead = lines.filter((line) => line.startsWith("#")).map((line) => `${line}\n`).join("");
    const command = lines.filter((line) => !line.startsWith("#")).join("\n");
    blocks.push({ lead, command, expected: rest.join("----\n").trim() });
  }
  return blocks;
}

/** The script again, with the traces that really came out. */
export function runScript(text: string): string {
  const run = new Run();
  let output = "";
  for (const { lead, command } of parseScript(text)) {
    output += lead;
    if (command === "") continue;
    const trace = command.split("\n").flatMap((line) => run.command(line.trim()));
    output += `${command}\n----\n${trace.length === 0 ? "ok" : trace.join("\n")}\n\n`;
  }
  return `${output.trimEnd()}\n`;
}

class Run {
  #world = new ScriptWorld();
  /** Messages put aside by `keep`, to arrive later, even again and again. */
  readonly #kept = new Map<string, ScriptWorld["wire"]>();

  /** What a command answers and the trace it leaves; `quiet` before a command leaves out the trace. */
  command(line: string): string[] {
    const quiet = line.startsWith("quiet ");
    const [verb = "", ...words] = line.slice(quiet ? 6 : 0).split(/\s+/);
    const world = this.#world;
    world.trace.length = 0;
    let answer: string[] = [];
    try {
      answer = this.#perform(verb, words) ?? [];
      world.check();
    } catch (error) {
      answer = [`BROKEN: ${error instanceof Error ? error.message : String(error)}`];
    }
    return quiet ? answer : [...answer, ...this.#world.trace];
  }

  #perform(verb: string, words: readonly string[]): string[] | void {
    const [first = "", ...rest] = words;
    const world = this.#world;
    switch (verb) {
      case "cluster":
        return this.#cluster(words);
      case "log":
        return this.#restoreLog(first, rest);
      case "campaign":
        return world.campaign(first);
      case "elect":
        world.campaign(first);
        return world.stabilize();
      case "propose":
        return this.#propose(first, { type: "command", data: new TextEncoder().encode(rest.join(" ")) });
      case "change":
        return this.#change(first, rest);
      case "read":
        return this.#read(first, Number(rest[0]));
      case "transfer":
        return this.#transfer(first, rest[0] ?? null);
      case "stabilize":
        return world.stabilize(words.length === 0 ? null : words);
      case "deliver":
        return this.#deliver(words, (wire) => world.deliver(wire));
      case "drop":
        return this.#deliver(words, () => {});
      case "keep":
        this.#kept.set(first, []);
        return this.#deliver(rest, (wire) => this.#kept.get(first)?.push(wire));
      case "replay":
        for (const wire of this.#kept.get(first) ?? []) world.deliver(wire);
        return;
      case "duplicate":
        return this.#duplicate(words);
      case "tick":
        return world.tick(first, Number.parseInt(rest[0] ?? "10"));
      case "age":
        return world.age(first, Number.parseInt(rest[0] ?? "10"));
      case "wait":
        return world.wait(Number.parseInt(first));
      case "partition":
        return world.partition(words.join(" ").split("|").map((group) => group.trim().split(/\s+/)));
      case "cut":
        return world.cut(first, rest[0] ?? "");
      case "heal":
        return world.heal();
      case "crash":
        for (const id of words) world.crash(id);
        return;
      case "restart":
        for (const id of words) world.start(world.node(id));
        return;
      case "slow-disk":
        world.node(first).diskIsSlow = true;
        return;
      case "flush":
        world.flush(world.node(first));
        return;
      case "fast-disk":
        world.node(first).diskIsSlow = false;
        return world.flush(world.node(first));
      case "inject":
        return this.#inject(first, rest.join(" "));
      case "status":
        return [...world.nodes.keys()].filter((id) => words.length === 0 || words.includes(id)).map((id) =>
          this.#status(id)
        );
      case "show-log":
        return [world.node(first).disk.entries.map(showEntry).join(" | ") || "empty"];
      case "wire":
        return world.wire.map(({ message }) => `${message.from}->${message.to} ${message.type}`);
      case "configuration":
        return words.map((id) => `${id}: ${this.#configuration(id)}`);
      case "progress":
        return world.raft(first).status().peers.map((
          { id, state, matchIndex, nextIndex, inflightMessages },
        ) => `${id}: ${state} match=${matchIndex} next=${nextIndex} inflight=${inflightMessages}`);
      case "count":
        return [`${world.wire.filter(({ message }) => message.from === first).length} on their way`];
      case "age-of-state": {
        const age = world.node(first).now - world.raft(first).freshAsOf();
        return [age === Infinity ? "unknown" : `at most ${Math.round(age)} ms old`];
      }
      case "lease":
        return [world.raft(first).leaseUntil() > world.node(first).now ? "held" : "not held"];
      default:
        throw new Error(`unknown command: ${verb}`);
    }
  }

  /**
   * `cluster n1 n2 n3 [learner:n4] [spare:n5] [option=value] [n2.option=value]`: spare nodes are there but in no
   * configuration; an option may be one node's alone.
   */
  #cluster(words: readonly string[]): void {
    const named = (kind: string) =>
      words.filter((word) => word.startsWith(kind)).map((word) => word.slice(kind.length));
    const options: Record<string, number | boolean> = {};
    const optionsOf = new Map<string, Record<string, number | boolean>>();
    for (const word of words.filter((word) => word.includes("="))) {
      const [path = "", value = ""] = word.split("=");
      const [name = "", id = ""] = path.split(".").reverse();
      const own = id === "" ? options : optionsOf.get(id) ?? {};
      own[name] = value === "true" ? true : Number(value);
      if (id !== "") optionsOf.set(id, own);
    }
    this.#world = new ScriptWorld(options, optionsOf);
    const learners = named("learner:");
    const spares = named("spare:");
    const voters = words.filter((word) => !word.includes(":") && !word.includes("="));
    const configuration = { ...firstConfiguration(voters), learners };
    for (const id of [...voters, ...learners, ...spares]) this.#world.add(id, configuration);
  }

  /** `log n1 1 1 2 term=3`: restarts the node with a log of entries of these terms, in term 3 (else the last one's). */
  #restoreLog(id: string, words: readonly string[]): void {
    const world = this.#world;
    const node = world.node(id);
    const terms = words.filter((word) => !word.startsWith("term="));
    const inTerm = words.find((word) => word.startsWith("term="))?.slice(5);
    const last = Number(inTerm ?? terms.at(-1) ?? 0);
    node.disk.entries = terms.map((term, at) => ({
      index: at + 1,
      term: Number(term),
      time: 0,
      type: "command" as const,
      data: new TextEncoder().encode(`${term}.${at + 1}`),
    }));
    node.disk.hardState = { currentTerm: last, votedFor: null, withholdMs: 0 };
    world.start(node);
  }

  #propose(id: string, proposal: Proposal): string[] {
    const node = this.#world.node(id);
    const result = this.#world.raft(id).propose(proposal);
    if (!result.ok) return [`refused: ${result.reason}`];
    this.#world.drain(node);
    return [`ok ${result.value.term}/${result.value.index}`];
  }

  /** `change n1 voters=n1,n2,n4 learners=n5` */
  #change(id: string, words: readonly string[]): string[] {
    const list = (name: string) =>
      words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1).split(",").filter(Boolean) ??
        [];
    return this.#propose(id, { type: "configuration", voters: list("voters"), learners: list("learners") });
  }

  #read(id: string, number: number): string[] {
    const result = this.#world.read(id, number);
    if (result.ok) this.#world.drain(this.#world.node(id));
    return result.ok ? [] : [`refused: ${result.reason}`];
  }

  #transfer(id: string, to: string | null): string[] {
    const result = this.#world.raft(id).transfer(to);
    if (result.ok) this.#world.drain(this.#world.node(id));
    return [result.ok ? `to ${result.value}` : `refused: ${result.reason}`];
  }

  /** `deliver n1->n2 [Type] [count]`: the oldest messages that fit. */
  #deliver(words: readonly string[], act: (wire: ScriptWorld["wire"][number]) => void): void {
    const world = this.#world;
    const [route = "", ...filters] = words;
    const type = filters.find((word) => /^[A-Z]/.test(word));
    let left = Number(filters.find((word) => /^\d+$/.test(word)) ?? Infinity);
    for (const wire of [...world.wire]) {
      const { from, to } = wire.message;
      if (left === 0 || route !== "*" && `${from}->${to}` !== route) continue;
      if (type !== undefined && wire.message.type !== type) continue;
      world.wire = world.wire.filter((other) => other !== wire);
      act(wire);
      left--;
    }
  }

  #duplicate(words: readonly string[]): void {
    const world = this.#world;
    const copies: ScriptWorld["wire"] = [];
    for (const wire of world.wire) {
      if (words[0] === "*" || `${wire.message.from}->${wire.message.to}` === words[0]) copies.push(wire);
    }
    world.wire = [...world.wire, ...copies];
  }

  /** `inject n2 {"type":"AppendEntries", …}`: a message out of nowhere; entries as [[term, index], …]. */
  #inject(to: string, json: string): void {
    const fields: Record<string, unknown> = JSON.parse(json);
    const entries = (fields["entries"] as [number, number][] | undefined ?? []).map(([term, index]) => ({
      index,
      term,
      time: 0,
      type: "command" as const,
      data: new TextEncoder().encode(`${term}.${index}`),
    }));
    const defaults = { to, entries, round: 0, echo: 0, confirmedAgeMs: -1, withholdMs: 500 };
    const message = { ...defaults, ...fields, ...(fields["entries"] === undefined ? {} : { entries }) };
    this.#world.deliver({ message: message as unknown as Message, number: 0, life: Infinity });
  }

  #configuration(id: string): string {
    const { configuration: { index, configuration }, configurationUncommitted } = this.#world.raft(id)
      .status();
    return `${index} ${showConfiguration(configuration)}${configurationUncommitted ? " (uncommitted)" : ""}`;
  }

  #status(id: string): string {
    const node = this.#world.node(id);
    if (node.raft === null) return `${id}: down`;
    const { role, currentTerm, leaderId, last, commitIndex, lastApplied } = node.raft.status();
    return `${id}: ${role} term=${currentTerm} leader=${
      leaderId ?? "none"
    } last=${last.term}/${last.index} ` +
      `commit=${commitIndex} applied=${lastApplied}`;
  }
}
