import type { LineChange } from "../code/compare";

/** A unified diff read backwards: from the converted file to the one that it was made of. */

/** Bytes as text of which each character is one byte: whatever the encoding, nothing is lost. */
export function bytesAsText(bytes: Uint8Array): string {
  // Not `latin1`: what browsers call that is another encoding.
  let text = "";
  for (let at = 0; at < bytes.length; at += 8_192) text += String.fromCharCode(...bytes.subarray(at, at + 8_192));
  return text;
}

export function textAsBytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

interface Hunk {
  /** First line of the new file that it speaks of, from 0. */
  at: number;
  /** How many lines of the new file. */
  length: number;
  old: string[];
  added: number;
  removed: number;
}

export interface FilePatch {
  hunks: Hunk[];
  changes: LineChange[];
  added: number;
  removed: number;
}

const RANGE = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** The patches of a diff of many files, by path. */
export function readPatches(diff: string): Map<string, FilePatch> {
  const patches = new Map<string, FilePatch>();
  const lines = linesOf(diff);
  let patch: FilePatch | undefined;
  for (let at = 0; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    if (line.startsWith("--- ") && lines[at + 1]?.startsWith("+++ ")) {
      const name = (lines[at + 1] ?? "").slice(4).split(/[\t\n]/, 1)[0] ?? "";
      patch = { hunks: [], changes: [], added: 0, removed: 0 };
      patches.set(utf8(name.replace(/^b\//, "")), patch);
      at += 1;
      continue;
    }
    const range = RANGE.exec(line);
    if (!range || !patch) continue;
    const [oldLines, newLines] = [Number(range[2] ?? 1), Number(range[4] ?? 1)];
    const hunk = readHunk(lines, at + 1, oldLines, newLines);
    // A hunk of no lines names the line before it.
    const first = Number(range[3]) - (newLines === 0 ? 0 : 1);
    patch.changes.push(...changesOf(hunk.kinds, Number(range[1]) - (oldLines === 0 ? 0 : 1), first));
    patch.hunks.push({ ...hunk.hunk, at: first });
    patch.added += hunk.hunk.added;
    patch.removed += hunk.hunk.removed;
    at = hunk.end - 1;
  }
  return patches;
}

function readHunk(lines: string[], from: number, oldLines: number, newLines: number): { hunk: Omit<Hunk, "at">; kinds: string; end: number } {
  const old: string[] = [];
  let kinds = "";
  let [oldLeft, newLeft, added, removed, at] = [oldLines, newLines, 0, 0, from];
  let wasOld = false;
  for (; at < lines.length; at += 1) {
    const line = lines[at] ?? "";
    const kind = line[0];
    if (kind === "\\") {
      // The line above has no end.
      if (wasOld) old.push((old.pop() ?? "").replace(/\n$/, ""));
      continue;
    }
    if (oldLeft <= 0 && newLeft <= 0) break;
    wasOld = kind !== "+";
    kinds += kind === "+" || kind === "-" ? kind : " ";
    if (wasOld) {
      old.push(line.slice(1));
      oldLeft -= 1;
    }
    if (kind !== "-") newLeft -= 1;
    if (kind === "+") added += 1;
    if (kind === "-") removed += 1;
  }
  return { hunk: { length: newLines, old, added, removed }, kinds, end: at };
}

/** The changes of a hunk by what each of its lines is: `+`, `-`, or both files' (a space). */
function changesOf(kinds: string, oldAt: number, newAt: number): LineChange[] {
  const changes: LineChange[] = [];
  for (const [run] of kinds.matchAll(/ +|[+-]+/g)) {
    const [removed, added] = run[0] === " " ? [run.length, run.length] : [run.split("-").length - 1, run.split("+").length - 1];
    if (run[0] !== " ") changes.push({ before: [oldAt, oldAt + removed], after: [newAt, newAt + added] });
    oldAt += removed;
    newAt += added;
  }
  return changes;
}

/** Names in a diff are bytes as well. */
function utf8(name: string): string {
  return new TextDecoder().decode(textAsBytes(name));
}

/** What a file was before its patch. */
export function undone(text: string, patch: FilePatch): string {
  const lines = linesOf(text);
  const parts: string[] = [];
  let at = 0;
  for (const hunk of patch.hunks) {
    parts.push(...lines.slice(at, hunk.at), ...hunk.old);
    at = hunk.at + hunk.length;
  }
  parts.push(...lines.slice(at));
  return parts.join("");
}
