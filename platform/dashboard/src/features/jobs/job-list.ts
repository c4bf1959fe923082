import { readAbouts } from "./abouts";
import { NEWEST, fits } from "./filters";
import { asRow, fetchRows, isNewer, type Page, type Row, type Wanted } from "./rows";

/** A page as it was read: where it begins, and whether more has changed since than was told. */
interface Read {
  cursor: string | null;
  stale: boolean;
}

export interface Listed {
  /** Ids in the order they are shown. */
  order: readonly string[];
  rows: ReadonlyMap<string, Row>;
  /** Ids that came while the list was shown: they slide in. */
  arrived: ReadonlySet<string>;
  /** How many fit that are not shown yet. */
  fresh: number;
  /** Whether there are more pages. */
  more: boolean;
  loading: boolean;
  error: unknown;
}

/** More than this is never kept of a list that grows at its top. */
const MOST_ROWS = 3_000;
/** So many at once do not slide in one by one. */
const MOST_SLIDING = 12;

const NOTHING: Listed = { order: [], rows: new Map(), arrived: new Set(), fresh: 0, more: false, loading: false, error: null };

/**
 * The jobs of a list: read page by page, kept in step by what the feed tells. Rows change where they are; what no longer
 * fits stays until the list is read anew, so that nothing moves away under the pointer.
 */
export class JobList {
  #order: string[] = [];
  #rows = new Map<string, Row>();
  #arrived = new Set<string>();
  #fresh = new Map<string, Row>();
  #pages = new Map<string, Read>();
  #next: string | null = null;
  #begun = false;
  #following = true;
  #loading = false;
  #error: unknown = null;
  #stopped = new AbortController();
  #shown: Listed = NOTHING;
  #listeners = new Set<() => void>();
  #frame = 0;
  /** What to do when so much has come that the list is better read anew. */
  onOverflow: () => void = () => {};

  constructor(readonly wanted: Wanted) {}

  subscribe = (listener: () => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  get = () => this.#shown;

  /** The first page, as it is now: the first time it is the list, later what has come since goes on top. */
  takeHead(page: Page): void {
    const read: Read = { cursor: null, stale: false };
    const met = page.jobs.some((job) => this.#rows.has(job.id));
    const all = page.next === null;
    if (!this.#begun || all || !met) {
      // A gap between the new head and what is known: begin anew, rather than show a list with a hole.
      this.#order = page.jobs.map((job) => job.id);
      this.#rows = new Map(page.jobs.map((job) => [job.id, job]));
      this.#pages = new Map();
      this.#next = page.next;
      this.#begun = true;
    } else {
      for (const known of this.#pages.values()) known.stale = true;
      const head = page.jobs.map((job) => job.id);
      const before = new Set(head);
      this.#order = [...head, ...this.#order.filter((id) => !before.has(id))];
      if (this.wanted.sort === NEWEST) this.#order.sort(newestFirst);
      for (const job of page.jobs) this.#rows.set(job.id, job);
    }
    for (const job of page.jobs) this.#pages.set(job.id, read);
    this.#fresh.clear();
    this.#changed();
  }

  async loadMore(): Promise<void> {
    if (this.#loading || this.#next === null) return;
    this.#loading = true;
    this.#error = null;
    this.#changed();
    const cursor = this.#next;
    void readAbouts(this.wanted, cursor, this.#stopped.signal);
    try {
      const page = await fetchRows(this.wanted, cursor, this.#stopped.signal);
      // The list was read anew meanwhile: this page is of the one before.
      if (this.#next !== cursor) return;
      const read: Read = { cursor, stale: false };
      for (const job of page.jobs) {
        if (!this.#rows.has(job.id)) this.#order.push(job.id);
        this.#rows.set(job.id, job);
        this.#pages.set(job.id, read);
      }
      this.#next = page.next;
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#error = error;
    } finally {
      this.#loading = false;
      this.#changed();
    }
  }

  /** Reads those pages again of which rows are looked at, and that may have changed unseen. */
  async look(ids: readonly string[]): Promise<void> {
    const pages = new Set(ids.map((id) => this.#pages.get(id)).filter((page) => page?.stale));
    for (const page of pages) {
      if (!page) continue;
      page.stale = false;
      try {
        const { jobs } = await fetchRows(this.wanted, page.cursor, this.#stopped.signal);
        for (const job of jobs) if (this.#rows.has(job.id)) this.#rows.set(job.id, job);
        this.#changed();
      } catch {
        page.stale = true; // it is looked at again
      }
    }
  }

  /** Whether what comes is shown at once: as long as somebody is at the top. */
  follow(following: boolean): void {
    this.#following = following;
    if (following) this.showFresh();
  }

  showFresh(): void {
    if (this.#fresh.size === 0) return;
    this.#insert([...this.#fresh.values()]);
    this.#fresh.clear();
    this.#changed();
  }

  /** What the feed tells. */
  take(jobs: readonly Row[]): void {
    if (!this.#begun) return;
    const came: Row[] = [];
    for (const job of jobs) {
      const known = this.#rows.get(job.id) ?? this.#fresh.get(job.id);
      if (known && !isNewer(job, known)) continue;
      const row = asRow(job);
      if (this.#rows.has(job.id)) this.#rows.set(job.id, row);
      else if (this.#fits(row) && this.#isWithin(row)) came.push(row);
      else this.#fresh.delete(job.id);
    }
    if (this.#following) this.#insert(came);
    else for (const row of came) this.#fresh.set(row.id, row);
    this.#changed();
    if (this.#following && this.#order.length > MOST_ROWS) {
      this.#begun = false;
      this.onOverflow();
    }
  }

  close(): void {
    this.#stopped.abort();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }
  open(): void {
    if (this.#stopped.signal.aborted) this.#stopped = new AbortController();
  }

  #fits(row: Row): boolean {
    return fits(row, this.wanted.states, this.wanted.query);
  }

  // Only where the order is that of the ids is it known where a job belongs, and whether that part has been read.
  #isWithin(row: Row): boolean {
    if (this.wanted.sort !== NEWEST) return false;
    const last = this.#order.at(-1);
    return this.#next === null || last === undefined || row.id > last;
  }

  #insert(rows: readonly Row[]): void {
    if (rows.length === 0) return;
    this.#arrived = new Set(rows.length <= MOST_SLIDING ? rows.map((row) => row.id) : []);
    for (const row of rows) {
      this.#rows.set(row.id, row);
      this.#order.push(row.id);
    }
    this.#order.sort(newestFirst);
  }

  // However much comes, it is drawn once a frame; a hidden tab draws none.
  #changed(): void {
    if (this.#frame) return;
    const tell = () => {
      this.#frame = 0;
      this.#shown = {
        order: [...this.#order],
        rows: new Map(this.#rows),
        arrived: this.#arrived,
        fresh: this.#fresh.size,
        more: this.#next !== null,
        loading: this.#loading,
        error: this.#error,
      };
      for (const listener of this.#listeners) listener();
    };
    this.#frame = document.hidden ? window.setTimeout(tell, 100) : requestAnimationFrame(tell);
  }
}

// Ids are ordered by time.
const newestFirst = (one: string, other: string) => (one < other ? 1 : one > other ? -1 : 0);
