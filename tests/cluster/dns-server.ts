// A small real DNS server on loopback: A and AAAA records of one name, which tests change while it runs (RFC 1035).

const typeA = 1;
const typeAaaa = 28;

export class DnsServer {
  addresses: readonly string[] = [];
  questions = 0;
  readonly #name: string;
  #socket: Bun.udp.Socket<"buffer"> | null = null;

  constructor(name: string) {
    this.#name = name;
  }

  /** As a resolver wants it. */
  get address(): string {
    return `127.0.0.1:${this.#socket?.port ?? 0}`;
  }

  async start(): Promise<void> {
    this.#socket = await Bun.udpSocket({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket, query, port, address) => {
          const answer = this.#answer(query);
          if (answer !== null) socket.send(answer, port, address);
        },
        error() {
          // Whoever asked has gone away.
        },
      },
    });
  }

  stop(): void {
    this.#socket?.close();
  }

  /** Header, the question again, and a record for each address of the type asked for. */
  #answer(query: Buffer): Uint8Array | null {
    if (query.byteLength < 17) return null;
    this.questions++;
    const labels: string[] = [];
    let at = 12;
    for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
      labels.push(query.subarray(at + 1, at + 1 + length).toString("latin1"));
      at += length + 1;
    }
    const end = at + 5;
    const type = query.readUInt16BE(at + 1);
    const known = labels.join(".").toLowerCase() === this.#name;
    const wanted = this.addresses.filter((address) => type === (address.includes(":") ? typeAaaa : typeA));
    const records = known && (type === typeA || type === typeAaaa)
      ? wanted.map((address) => record(type, address))
      : [];
    const header = Buffer.alloc(12);
    header.writeUInt16BE(query.readUInt16BE(0), 0);
    // An answer, authoritative, recursion as wished; 3 = there is no such name.
    header.writeUInt16BE(0x8580 | (known ? 0 : 3), 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(records.length, 6);
    return new Uint8Array(Buffer.concat([header, query.subarray(12, end), ...records]));
  }
}

/** The name is a pointer to the question. */
function record(type: number, address: string): Buffer {
  const data = type === typeA ? Buffer.from(address.split(".").map(Number)) : ipv6(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(1, 6);
  head.writeUInt16BE(data.byteLength, 10);
  return Buffer.concat([head, data]);
}

function ipv6(address: string): Buffer {
  const [left = "", right = ""] = address.split("::");
  const groups = (part: string) => part === "" ? [] : part.split(":").map((group) => parseInt(group, 16));
  const [before, after] = [groups(left), groups(right)];
  const all = [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
  const bytes = Buffer.alloc(16);
  for (const [index, group] of all.entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}
