import type { FieldError } from "@/api/client";

const REQUIRED = /^'(.+)' is a required property$/;

/**
 * The API's errors at the places of a form over the value at `base` of the request (`/input`, `/decision`).
 *
 * An input that does not fit is told by paths in the input, a request that does not by paths in the request; a key that is
 * missing is told at the object that lacks it and belongs to the field of that key.
 */
export function placed(errors: readonly FieldError[], base: string, code: string): FieldError[] {
  const inside = code === "input_rejected";
  const found: FieldError[] = [];
  for (const { path, message } of errors) {
    const trimmed = path === "/" ? "" : path;
    if (!inside && trimmed !== base && !trimmed.startsWith(`${base}/`)) continue;
    const place = inside ? trimmed : trimmed.slice(base.length);
    const missing = REQUIRED.exec(message)?.[1];
    found.push({ path: missing === undefined ? place : `${place}/${missing}`, message });
  }
  return found;
}

/** Errors by their places. */
export class Errors {
  readonly #all: readonly FieldError[];

  constructor(all: readonly FieldError[]) {
    this.#all = all;
  }

  /** What is wrong with exactly this part; `below`: or with a part of it. */
  at(path: string, below = false): string | undefined {
    const found = this.#all.filter((error) => error.path === path || (below && error.path.startsWith(`${path}/`)));
    const words = found.map((error) => (error.path === path ? error.message : `${error.path.slice(path.length + 1)}: ${error.message}`));
    return words.length > 0 ? [...new Set(words)].join(" ") : undefined;
  }

  has(path: string): boolean {
    return this.#all.some((error) => error.path === path || error.path.startsWith(`${path}/`));
  }
}
