// The bank of bank.ts on three replicas: everything that a replicated service of one's own needs, in one file.
//
//   npm run bank -- n1        and n2 and n3 in two more terminals; data in ./data/bank
//   curl -X POST 'http://127.0.0.1:7001/deposit?to=ann&cents=1000'
//   curl -X POST 'http://127.0.0.1:7002/transfer?from=ann&to=bob&cents=400'
//   curl 'http://127.0.0.1:7003/balance?account=bob'
//
// Kill any of them (kill -9), start it again: no cent is lost. `-- n1 --peers n1=http://10.0.0.1:7001,…` names other places;
// beyond loopback give them all the same CLUSTER_SECRET, and put something in front that asks people who they are.
import { parseArgs } from "node:util";
import * as coracle from "../lib/mod.ts";
import {
  bank,
  type BankAnswer,
  type BankQuery,
  encodeTransaction,
  receiptOf,
  type Transaction,
} from "./bank.ts";

const { positionals: [id = ""], values: flags } = parseArgs({
  allowPositionals: true,
  options: {
    peers: {
      type: "string",
      default: "n1=http://127.0.0.1:7001,n2=http://127.0.0.1:7002,n3=http://127.0.0.1:7003",
    },
    data: { type: "string", default: "data/bank" },
  },
});
const peers = new Map(flags.peers.split(",").map((peer) => peer.split("=", 2) as [id: string, url: string]));
const url = peers.get(id);
if (url === undefined) throw new Error(`say which of ${[...peers.keys()].join(", ")} this is`);
const { hostname, port } = new URL(url);

const { clock, random, scheduler, word } = coracle.host;
const log = coracle.host.openLog("info", "text");
/** A broken invariant or a failed disk: a replica that goes on might lie, one that ends is only a crash. */
const fatal = (message: string): never => {
  log("error", message);
  process.exit(70);
};

// The disk. Opening the log takes the lock of the folder; what is corrupt is not voted with.
const { nativeChecksum, openDataFolder, openLogFile, openStateFile, witnessFile } = coracle.storage;
const folder = openDataFolder(`${flags.data}/${id}`);
const files = { table: openLogFile(folder), witness: witnessFile(folder), checksum: nativeChecksum };
const opened = coracle.openDurableLog({ ...files, fatal });
if (!opened.ok) throw new Error(opened.corruption.reason);
const durableLog = opened.log;
const state = coracle.openAppliedState({ store: openStateFile(folder), fatal });
if (!state.ok) throw new Error(state.corruption.reason);

// Who this is: counted durably before anything is said to anybody.
const identity = await new Promise<coracle.LocalIdentity>((resolve, reject) =>
  coracle.claimIdentity(
    { durableLog, id, random, word },
    (claim) => claim.ok ? resolve(claim.identity) : reject(new Error(claim.message)),
  )
);
const links = new coracle.PeerLinks({
  identity: () => identity.peerIdentity(url, "bank"),
  admit: (peer) => identity.admit(peer),
  secret: process.env["CLUSTER_SECRET"] ?? null,
  ...{ log, clock, scheduler, random },
});
const replica = new coracle.Replica<BankQuery, BankAnswer>({
  ...{ identity, durableLog, state: state.state, links, clock, scheduler, random, log, fatal },
  machine: bank,
  space: coracle.storage.freeSpace(folder),
  expected: [...peers.keys()],
  heartbeatMs: 100,
  electionMs: 500,
});

// The front door: three endings of a write, never mixed.
async function submit(transaction: Transaction): Promise<Response> {
  const outcome = await replica.propose(encodeTransaction(transaction), { timeoutMs: 5_000 });
  if (outcome.type === "refused") return Response.json(outcome, { status: 503 });
  if (outcome.type === "unknown") return Response.json(outcome, { status: 504 });
  const receipt = receiptOf(outcome.result);
  return Response.json(receipt, { status: receipt.ok ? 200 : 409 });
}

async function ask(query: BankQuery): Promise<Response> {
  const permit = await replica.read({ type: "linearizable" }, { timeoutMs: 5_000 });
  return permit.ok ? Response.json(replica.query(query)) : Response.json(permit, { status: 503 });
}

function answer(request: Request): Response | Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const [from, to, account] = ["from", "to", "account"].map((name) => searchParams.get(name) ?? "");
  const cents = Number(searchParams.get("cents"));
  switch (`${request.method} ${pathname}`) {
    case "POST /deposit":
      return submit({ type: "deposit", to: to ?? "", cents });
    case "POST /transfer":
      return submit({ type: "transfer", from: from ?? "", to: to ?? "", cents });
    case "GET /balance":
      return ask({ type: "balance", account: account ?? "" });
    case "GET /total":
      return ask({ type: "total" });
    case "GET /role":
      return Response.json(replica.status().role);
    default:
      return new Response("no such page\n", { status: 404 });
  }
}

const server = coracle.http.startServer({
  ...{ host: hostname, port: Number(port), app: { fetch: answer }, links, maxValueBytes: 1024, log },
});
replica.start();
for (const [peer, address] of peers) if (peer !== id) links.dial(address);
log("info", "serving", { id, url, folder });

// An orderly stop hands leadership over; the disorderly one (kill -9) is safe too.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    await replica.stop(2_000);
    links.close();
    await server.stop(500);
    process.exit(0);
  });
}
