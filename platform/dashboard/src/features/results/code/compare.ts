import { Change, diff, type DiffConfig } from "@codemirror/merge";

/** Lines that were replaced by others: from and to, counted from 0, without the last. */
export interface LineChange {
  before: [from: number, to: number];
  after: [from: number, to: number];
}

/** Very different long texts are compared roughly instead of for ever. */
const ROUGHLY: DiffConfig = { scanLimit: 1_000, timeout: 400 };
/** Short ones are compared the same way each time, however busy the machine is. */
const ONE_CHANGE: DiffConfig = { scanLimit: 400 };
const SHORT = 20_000;

/** How two texts are compared: where it is known which lines differ, only those are, however long the texts. */
export function comparing(changes: readonly LineChange[]): DiffConfig {
  return changes.length === 0 ? ROUGHLY : { override: (before, after) => within(changes, before, after) ?? diff(before, after, ROUGHLY) };
}

/** What differs inside of changed lines; null where the lines are not those of these texts. */
export function within(changes: readonly LineChange[], before: string, after: string): Change[] | null {
  const [old, now] = [startsOf(before), startsOf(after)];
  const found: Change[] = [];
  for (const change of changes) {
    const [fromA, toA] = change.before.map((line) => old[line]);
    const [fromB, toB] = change.after.map((line) => now[line]);
    if (fromA === undefined || toA === undefined || fromB === undefined || toB === undefined) return null;
    const how = toA - fromA + toB - fromB <= SHORT ? ONE_CHANGE : ROUGHLY;
    for (const each of diff(before.slice(fromA, toA), after.slice(fromB, toB), how)) {
      found.push(new Change(each.fromA + fromA, each.toA + fromA, each.fromB + fromB, each.toB + fromB));
    }
  }
  return isAll(found, before, after) ? found : null;
}

/** Whether two texts are the same but for the changes. */
function isAll(changes: readonly Change[], before: string, after: string): boolean {
  let [a, b] = [0, 0];
  for (const change of changes) {
    if (before.slice(a, change.fromA) !== after.slice(b, change.fromB)) return false;
    [a, b] = [change.toA, change.toB];
  }
  return before.slice(a) === after.slice(b);
}

/** Where each line begins, and behind the last where the text ends. */
function startsOf(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  if (starts.at(-1) !== text.length) starts.push(text.length);
  return starts;
}
