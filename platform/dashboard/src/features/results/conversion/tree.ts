import type { ConvertedFile } from "./conversion";

export interface Folder {
  name: string;
  path: string;
  folders: Folder[];
  files: ConvertedFile[];
}

const { compare } = new Intl.Collator(undefined, { numeric: true });

/** Files as a tree; a folder that holds one folder and nothing else is one line with it. */
export function treeOf(files: readonly ConvertedFile[]): Folder {
  const root: Folder = { name: "", path: "", folders: [], files: [] };
  for (const file of files) {
    let folder = root;
    for (const name of file.path.split("/").slice(0, -1)) {
      let next = folder.folders.find((each) => each.name === name);
      if (!next) {
        next = { name, path: folder.path ? `${folder.path}/${name}` : name, folders: [], files: [] };
        folder.folders.push(next);
      }
      folder = next;
    }
    folder.files.push(file);
  }
  return joined(root);
}

function joined(folder: Folder): Folder {
  const folders = folder.folders.map((each) => {
    let found = joined(each);
    const [only] = found.folders;
    if (only && found.folders.length === 1 && found.files.length === 0) found = { ...only, name: `${found.name}/${only.name}` };
    return found;
  });
  const byName = (a: { name: string }, b: { name: string }) => compare(a.name, b.name);
  const files = [...folder.files].sort((a, b) => compare(a.path, b.path));
  return { ...folder, folders: folders.sort(byName), files };
}

/** A line of the tree as it is drawn. */
export type Line = { depth: number } & ({ folder: Folder; isOpen: boolean } | { folder: null; file: ConvertedFile });

/** The lines of a tree from top to bottom, without what is in folders that are closed. */
export function linesOf(tree: Folder, closed: ReadonlySet<string>): Line[] {
  const lines: Line[] = [];
  const add = (folder: Folder, depth: number) => {
    for (const each of folder.folders) {
      const isOpen = !closed.has(each.path);
      lines.push({ depth, folder: each, isOpen });
      if (isOpen) add(each, depth + 1);
    }
    for (const file of folder.files) lines.push({ depth, folder: null, file });
  };
  add(tree, 0);
  return lines;
}
