/** Whether a refused path (`/values/plan/0`, `body.values.plan`) is one of this value of a state. */
export function isOf(path: string, name: string): boolean {
  const parts = path.split(/[./]/);
  const at = parts.indexOf("values");
  return at >= 0 && parts[at + 1] === name;
}
