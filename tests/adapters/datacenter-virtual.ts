// The scenarios of the course simulator in virtual time, at full length or shorter: the same clients, faults and judgement as with
// real processes (datacenter-simulator.ts), in half a second a run, and the same run again from its seed.
import { seededRandom } from "../support/random.ts";
import { Clients } from "./datacenter-clients.ts";
import { anybody, idPattern, judge, maxDatagram, type Report } from "./datacenter-judge.ts";
import type { EventType, Scenario } from "./datacenter-scenarios.ts";
import { DatacenterWorld, type Datagram, worldIds } from "./datacenter-world.ts";

const startWaitMs = 5_000;
const endWaitMs = 2_000;
/** What every datagram takes. */
const leastMs = 0.1;
/** Where clients hear their replies. */
const clients = "clients";

export type VirtualOptions = {
  /**
   * On a machine that is busy every datagram waits for up to so long before anybody looks at it, ms: a replica has been
   * deposed or a value written before an older answer is read. Default 0.
   */
  readonly slowMs?: number;
  /** Start to end, ms; default 30,000. In shorter runs partitions end while old leaders still hold requests. */
  readonly lifetimeMs?: number;
};

export async function runVirtually(
  scenario: Scenario,
  seed: number,
  options: VirtualOptions = {},
): Promise<Report> {
  return await new VirtualRun(scenario, seed, { slowMs: 0, lifetimeMs: 30_000, ...options }).run();
}

class VirtualRun {
  readonly #lifetimeMs: number;
  readonly #scenario: Scenario;
  readonly #random: () => number;
  readonly #world: DatacenterWorld;
  readonly #clients: Clients;
  readonly #errors: string[] = [];
  readonly #leaders: string[] = [];
  #leader = anybody;
  #majority: ReadonlySet<string> | null = null;
  #dropped = 0;
  #inDeadHands = 0;

  constructor(scenario: Scenario, seed: number, { slowMs, lifetimeMs }: Required<VirtualOptions>) {
    this.#lifetimeMs = lifetimeMs;
    this.#scenario = scenario;
    this.#random = seededRandom(seed);
    this.#world = new DatacenterWorld(seed);
    this.#world.carries = (datagram) => this.#carries(datagram);
    this.#world.travelMs = () => leastMs + (slowMs === 0 ? 0 : this.#random() * slowMs);
    this.#world.onReply = (datagram) =>
      this.#world.travel(clients, () => this.#clients.deliver(datagram, this.#world.now));
    this.#clients = new Clients({
      random: this.#random,
      forgetful: scenario.forgetful ?? false,
      living: () => this.#world.living,
      send: ({ dst, ...request }) =>
        this.#world.travel(String(dst), () => this.#world.ask(String(dst), request, String(request["src"]))),
    });
  }

  async run(): Promise<Report> {
    const { requests, events } = this.#scenario;
    const loadMs = this.#lifetimeMs - startWaitMs - endWaitMs;
    for (let nth = 0; nth < requests; nth++) {
      const at = startWaitMs + nth * loadMs / requests;
      this.#world.later(at, () => this.#clients.ask(this.#world.now));
    }
    for (const [share, type] of events) {
      this.#world.later(startWaitMs + share * loadMs, () => this.#event(type));
    }
    await this.#world.run(this.#lifetimeMs);
    const { sent } = this.#world;
    for (const { size } of sent) if (size > maxDatagram) this.#errors.push(`a datagram of ${size} bytes`);
    const byType: Record<string, number> = {};
    for (const { datagram: { type } } of sent) byType[type] = (byType[type] ?? 0) + 1;
    const tally = {
      scenario: this.#scenario,
      messages: sent.length,
      dropped: this.#dropped,
      byType,
      inDeadHands: this.#inDeadHands,
    };
    return judge({ ...tally, leaders: this.#leaders }, this.#clients, this.#errors);
  }

  #carries(datagram: Datagram): boolean {
    const { src, dst, leader } = datagram;
    if (![src, dst, leader].every((id) => typeof id === "string" && idPattern.test(id))) {
      this.#errors.push(`a malformed message: ${JSON.stringify(datagram).slice(0, 300)}`);
    }
    if (leader !== anybody && (this.#majority === null || this.#majority.has(src))) {
      this.#lead(String(leader));
    }
    if (!worldIds.includes(dst)) return true;
    const apart = this.#majority !== null && this.#majority.has(src) !== this.#majority.has(dst);
    const carried = !apart && this.#random() >= this.#scenario.drops;
    if (!carried) this.#dropped++;
    return carried;
  }

  #lead(leader: string): void {
    this.#leader = leader;
    if (this.#world.living.includes(leader) && this.#leaders.at(-1) !== leader) this.#leaders.push(leader);
  }

  #event(type: EventType): void {
    const followers = this.#world.living.filter((id) => id !== this.#leader);
    const pick = () => followers.splice(Math.floor(this.#random() * followers.length), 1)[0] ?? anybody;
    if (type === "kill_follower") this.#kill(pick());
    else if (type === "kill_leader") {
      if (!this.#world.living.includes(this.#leader)) this.#errors.push("nobody is known to lead");
      this.#kill(this.#leader);
      this.#clients.forget();
    } else if (type === "partition_easy") this.#majority = new Set([this.#leader, pick(), pick()]);
    else if (type === "partition_hard") {
      this.#majority = new Set([pick(), pick(), pick()]);
      this.#clients.forget();
    } else this.#majority = null;
  }

  #kill(id: string): void {
    this.#inDeadHands += this.#clients.inHandsOf(id);
    this.#world.kill(id);
  }
}
