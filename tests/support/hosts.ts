// Hosts as network namespaces: each has an address on a switch between them, and cables that can be pulled. The switch
// is a namespace too, so that nothing of it shows on the machine itself; deleting the namespaces removes everything.
// Needs root, `ip`, `iptables` and `curl`.

const network = "10.231.0";

export type Host = {
  readonly name: string;
  /** Where it listens; another one after {@link Hosts.move}. */
  address: string;
  /** Put before a command, this runs it on the host. */
  readonly prefix: readonly string[];
  /** A request made on the host. Of `init` it takes method, headers and a body of text. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
};

/** Why there can be no such hosts here; null = there can. */
export function whyNoHosts(): string | null {
  if (process.getuid?.() !== 0) return "network namespaces need root";
  const missing = ["ip", "iptables", "curl"].filter((command) => Bun.which(command) === null);
  if (missing.length > 0) return `${missing.join(", ")} not found`;
  try {
    const hosts = new Hosts();
    try {
      const probe = hosts.add("probe");
      hosts.deafen(probe);
    } finally {
      hosts.remove();
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

let made = 0;

export class Hosts implements Disposable {
  readonly #names: string[] = [];
  readonly #prefix = `coracle-${process.pid}-${++made}`;
  readonly #switch: string;
  readonly #onExit = () => this.remove();
  #addresses = 0;

  constructor() {
    // Also when a test hung and its runner gave up on it.
    process.on("exit", this.#onExit);
    this.#switch = this.#namespace("switch");
    run("ip", "-n", this.#switch, "link", "add", "switch0", "type", "bridge");
    run("ip", "-n", this.#switch, "link", "set", "switch0", "up");
  }

  add(name: string): Host {
    const space = this.#namespace(name);
    const cable = ["type", "veth", "peer", "name", "eth0", "netns", space];
    run("ip", "-n", this.#switch, "link", "add", port(name), ...cable);
    run("ip", "-n", this.#switch, "link", "set", port(name), "master", "switch0", "up");
    run("ip", "-n", space, "link", "set", "lo", "up");
    run("ip", "-n", space, "link", "set", "eth0", "up");
    const prefix = ["ip", "netns", "exec", space];
    const host = { name, address: "", prefix, fetch: (url: string, init = {}) => curl(prefix, url, init) };
    this.move(host);
    return host;
  }

  /** Gives it an address that nobody had before, instead of its own. */
  move(host: Host): void {
    const before = host.address;
    host.address = `${network}.${++this.#addresses}`;
    if (before !== "") run("ip", "-n", this.#space(host), "addr", "del", `${before}/24`, "dev", "eth0");
    run("ip", "-n", this.#space(host), "addr", "add", `${host.address}/24`, "dev", "eth0");
  }

  /** Nothing in, nothing out, and no error that would tell anybody. */
  unplug(host: Host): void {
    run("ip", "-n", this.#switch, "link", "set", port(host.name), "down");
  }

  /** It speaks, and hears nothing. */
  deafen(host: Host): void {
    this.#drop(host, "INPUT", "-i");
  }

  /** It hears, and says nothing. */
  silence(host: Host): void {
    this.#drop(host, "OUTPUT", "-o");
  }

  heal(host: Host): void {
    run("ip", "-n", this.#switch, "link", "set", port(host.name), "up");
    run(...host.prefix, "iptables", "-w", "-F");
  }

  remove(): void {
    process.off("exit", this.#onExit);
    for (const name of this.#names.splice(0)) run("ip", "netns", "del", name);
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #drop(host: Host, chain: string, direction: string): void {
    run(...host.prefix, "iptables", "-w", "-A", chain, direction, "eth0", "-j", "DROP");
  }

  #space(host: Host): string {
    return `${this.#prefix}-${host.name}`;
  }

  #namespace(name: string): string {
    const space = `${this.#prefix}-${name}`;
    run("ip", "netns", "add", space);
    this.#names.push(space);
    return space;
  }
}

function port(name: string): string {
  return `to-${name}`;
}

function run(...command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command, { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr.toString().trim()}`);
}

async function curl(prefix: readonly string[], url: string, init: RequestInit): Promise<Response> {
  const { method = "GET", body, headers } = init;
  const asked = [...new Headers(headers)].flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const sent = typeof body === "string" ? ["--data-binary", "@-"] : [];
  const child = Bun.spawn(
    [
      ...prefix,
      "curl",
      "-q",
      "-sSi",
      "--max-time",
      "15",
      "-X",
      method,
      "-H",
      "Expect:",
      ...asked,
      ...sent,
      url,
    ],
    {
      env: { PATH: process.env["PATH"] ?? "" },
      stdin: new TextEncoder().encode(typeof body === "string" ? body : ""),
      stdout: "pipe",
      stderr: "pipe",
    },
  );
  const [answer, trouble, code] = await Promise.all([
    new Response(child.stdout).bytes(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) throw new Error(`${method} ${url}: ${trouble.trim()}`);
  return parseResponse(Buffer.from(answer));
}

function parseResponse(answer: Buffer): Response {
  const end = answer.indexOf("\r\n\r\n");
  const [first = "", ...lines] = answer.subarray(0, end).toString("latin1").split("\r\n");
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const status = Number(first.split(" ")[1]);
  return new Response(status === 204 || status === 304 ? null : new Uint8Array(answer.subarray(end + 4)), {
    status,
    headers,
  });
}
