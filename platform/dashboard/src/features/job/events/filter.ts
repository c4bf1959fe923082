import type { JobEvent } from "@/api/client";

export interface Filter {
  /** A type, or the beginning of some with its point: `step.`. */
  type: string;
  step: string;
  text: string;
  /** What models say, word by word: rarely what one looks for among events. */
  tokens: boolean;
}

export const ALL: Filter = { type: "", step: "", text: "", tokens: false };

const texts = new WeakMap<JobEvent, string>();

/** All the words of an event, made once. */
function textOf(event: JobEvent): string {
  let text = texts.get(event);
  if (text === undefined) {
    text = `${event.type} ${event.step ?? ""} ${JSON.stringify(event.data)}`.toLowerCase();
    texts.set(event, text);
  }
  return text;
}

export function matches(event: JobEvent, filter: Filter): boolean {
  if (!filter.tokens && event.type === "model.tokens" && filter.type !== "model.tokens") return false;
  if (filter.type && (filter.type.endsWith(".") ? !event.type.startsWith(filter.type) : event.type !== filter.type)) return false;
  if (filter.step && event.step !== filter.step && !event.step?.startsWith(`${filter.step}/`)) return false;
  return !filter.text || textOf(event).includes(filter.text.toLowerCase());
}

/** The events that match. Grows with a journal: only what is new is looked at. */
export class Filtered {
  readonly found: JobEvent[] = [];
  #looked = 0;

  constructor(readonly filter: Filter) {}

  grow(events: readonly JobEvent[]): readonly JobEvent[] {
    for (; this.#looked < events.length; this.#looked++) {
      const event = events[this.#looked]!;
      if (matches(event, this.filter)) this.found.push(event);
    }
    return this.found;
  }

  /** Where an event stands among those found; -1: it is not. They are in the order of their seq. */
  indexOf(seq: number): number {
    let low = 0;
    let high = this.found.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.found[middle]!.seq;
      if (at === seq) return middle;
      if (at < seq) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }
}

/** What there is to choose from, in order. Grows with a journal: only what is new is looked at. */
export class Choices {
  types: readonly string[] = [];
  steps: readonly string[] = [];
  #known = new Set<string>();
  #looked = 0;

  grow(events: readonly JobEvent[]): this {
    const types: string[] = [];
    const steps: string[] = [];
    for (; this.#looked < events.length; this.#looked++) {
      const { type, step } = events[this.#looked]!;
      if (this.#isNew(`type ${type}`)) types.push(type);
      if (step && this.#isNew(`step ${step}`)) steps.push(step);
    }
    if (types.length > 0) this.types = [...this.types, ...types].sort();
    if (steps.length > 0) this.steps = [...this.steps, ...steps].sort();
    return this;
  }

  #isNew(key: string): boolean {
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    return true;
  }
}

/** One event a line. */
export function jsonLines(events: readonly JobEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join("");
}
