// The table of rooms in docs/architecture.md, read: who may import what, and what of the world it may touch.

export type World = "nothing" | "web standards" | "the runtime";

export type Room = {
  /** `lib/raft/`, or a file: `main.ts`. */
  readonly path: string;
  /** Folders end in a slash, files do not. */
  readonly files: readonly string[];
  readonly packages: readonly string[];
  readonly touches: World;
};

/** Types and small values of the core that other rooms speak in; the rest of lib/raft is for the replica and the simulation. */
const coreWords = ["mod", "identity", "entry", "messages", "configuration", "ready"].map((name) =>
  `lib/raft/${name}.ts`
);
/** What the replica's ports are written in. */
const ports = ["lib/replica/ports.ts", "lib/replica/peer-messages.ts", "lib/replica/api.ts"];

export function readTable(markdown: string): Room[] {
  const rows = [...markdown.matchAll(/^\| `([^`]+)` \|[^|]*\|([^|]+)\|([^|]+)\|$/gm)];
  const rooms = rows.map(([, name = "", may = "", touches = ""]): Room => {
    const path = name.endsWith(".ts") ? name : `${name}/`;
    const items = may.split(",").map((item) => item.trim());
    return {
      path,
      files: items.flatMap((item) => filesOf(item, path)),
      packages: items.flatMap((item) => /^\*(.+)\*$/.exec(item)?.[1] ?? []),
      touches: worldOf(touches.trim(), name),
    };
  });
  // A file's own row says what it touches; what it may import can be its room's.
  return rooms.map((room) => {
    const folder = rooms.find(({ path }) => path.endsWith("/") && room.path.startsWith(path));
    return room.path.endsWith("/") || folder === undefined
      ? room
      : { ...room, files: [folder.path, ...folder.files], packages: folder.packages };
  });
}

/** The row that holds for a file: its own, or its folder's. */
export function rowOf(rooms: readonly Room[], path: string): Room | undefined {
  return rooms.find((room) => room.path === path) ??
    rooms.find((room) => room.path.endsWith("/") && path.startsWith(room.path));
}

function filesOf(item: string, path: string): string[] {
  const file = /^`(.+)`$/.exec(item)?.[1];
  if (file !== undefined) return [file];
  if (/^\*.+\*$/.test(item) || item === "nothing" || item === "what its room may") return [];
  if (item === "everything") return ["lib/"];
  if (item === "the core's words") return coreWords;
  if (item === "the ports") return ports;
  if (/^[a-z]+$/.test(item)) return [`lib/${item}/`];
  throw new Error(`docs/architecture.md: ${path} may import "${item}": what is that?`);
}

function worldOf(text: string, name: string): World {
  if (text === "nothing" || text === "web standards" || text === "the runtime") return text;
  throw new Error(`docs/architecture.md: ${name} touches "${text}": what is that?`);
}
