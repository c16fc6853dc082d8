// The files of a folder, for import: links to files count as files; what is left out is named, so that a tree that comes
// in with less than it shows is noticed.
import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileReason } from "./files.ts";

export type Tree = {
  /** In order. */
  readonly paths: readonly string[];
  readonly leftOut: readonly { readonly name: string; readonly reason: string }[];
};

/**
 * Links to folders are not followed: they may lead out of the tree, and in circles (Bun's own recursive readdir walks
 * them round and round).
 */
export async function treeOf(folder: string): Promise<Tree> {
  const paths: string[] = [];
  const leftOut: { name: string; reason: string }[] = [];
  const folders = [folder];
  for (let at = folders.pop(); at !== undefined; at = folders.pop()) {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        folders.push(path);
        continue;
      }
      const reason = await whyLeftOut(entry, path);
      if (reason === null) paths.push(path);
      else leftOut.push({ name: path, reason });
    }
  }
  return { paths: paths.sort(), leftOut: leftOut.sort((a, b) => a.name < b.name ? -1 : 1) };
}

/** null = it is a file. */
async function whyLeftOut(entry: Dirent, path: string): Promise<string | null> {
  if (entry.isFile()) return null;
  if (!entry.isSymbolicLink()) return "it is no file";
  try {
    const target = await stat(path);
    if (target.isFile()) return null;
    return target.isDirectory() ? "a link to a folder" : "a link to something that is no file";
  } catch (error) {
    return `a link that leads nowhere: ${fileReason(error)}`;
  }
}
