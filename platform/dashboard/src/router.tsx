import {
  createRootRoute,
  createRoute,
  createRouter,
  Outlet,
  redirect,
  type ErrorComponentProps,
} from "@tanstack/react-router";
import type { JobState, Schemas } from "./api/client";
import { PAGE } from "./api/client";
import { loadWords } from "./i18n";
import { lazyComponent } from "./lib/lazy-component";
import { NotFound, Crashed, Frame } from "./shell/frame";
import { SignIn } from "./session/sign-in";

type Search = Record<string, unknown>;
/** What an address may say; what it does not say is left out of it. */
type Optional<T> = { [K in keyof T]?: T[K] | undefined };
const optional =
  <T extends Record<string, unknown>>(read: (search: Search) => T) =>
  (search: Search): Optional<T> =>
    read(search);
const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
const whole = (value: unknown) => {
  const number = typeof value === "string" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
};
const list = <T extends string>(value: unknown): T[] | undefined => {
  const all = (Array.isArray(value) ? value : [value]).filter((each): each is T => typeof each === "string" && each !== "");
  return all.length > 0 ? all : undefined;
};

/** A page's code, and the words it is told in: both are asked for at once, at the latest when somebody means to go there. */
const page = (words: string, code: Parameters<typeof lazyComponent>[0]) => ({
  component: lazyComponent(code),
  staticData: { words },
  loader: () => loadWords(words),
  staleTime: Infinity,
});

const root = createRootRoute({ component: Outlet, notFoundComponent: NotFound });

const signIn = createRoute({ getParentRoute: () => root, path: "/sign-in", component: SignIn });

/** Everything behind signing in. */
const frame = createRoute({
  getParentRoute: () => root,
  id: "frame",
  component: Frame,
  errorComponent: ({ error, reset }: ErrorComponentProps) => <Crashed error={error} reset={reset} />,
  notFoundComponent: NotFound,
});

const home = createRoute({
  getParentRoute: () => frame,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/jobs", replace: true });
  },
});

const jobs = createRoute({
  getParentRoute: () => frame,
  path: "/jobs",
  validateSearch: optional((search) => ({
    state: list<JobState>(search.state),
    workflow: text(search.workflow),
    thread: text(search.thread),
    parent: text(search.parent),
    schedule: text(search.schedule),
    created_by: text(search.created_by),
    after: text(search.after),
    before: text(search.before),
    sort: text(search.sort) as Schemas["JobSort"] | undefined,
  })),
  ...page("jobs", () => import("./features/jobs/page")),
});

const job = createRoute({
  getParentRoute: () => frame,
  path: "/jobs/$jobId",
  validateSearch: optional((search) => ({
    tab: text(search.tab),
    step: text(search.step),
    attempt: whole(search.attempt),
    /** A view of its result: of its document, its code, its files. */
    view: text(search.view),
    /** A file of the job that is shown. */
    file: text(search.file),
    /** A citation of its document that is open: its number. */
    citation: whole(search.citation),
    /** An event of its journal that is looked at: its seq. */
    event: whole(search.event),
  })),
  ...page("job", () => import("./features/job/page")),
});

const submit = createRoute({
  getParentRoute: () => frame,
  path: "/submit",
  ...page("submit", () => import("./features/submit/choose")),
});

const submitWorkflow = createRoute({
  getParentRoute: () => frame,
  path: "/submit/$workflow",
  validateSearch: optional((search) => ({
    /** Begin with the input of this job. */
    from: text(search.from),
    version: text(search.version),
  })),
  ...page("submit", () => import("./features/submit/page")),
});

const approvals = createRoute({
  getParentRoute: () => frame,
  path: "/approvals",
  validateSearch: optional((search) => ({
    state: text(search.state) as Schemas["ApprovalState"] | "all" | undefined,
    workflow: text(search.workflow),
    assignee: text(search.assignee),
    open: text(search.open),
  })),
  ...page("approvals", () => import("./features/approvals/page")),
});

const knowledge = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge",
  ...page("knowledge", () => import("./features/knowledge/page")),
});

const collection = createRoute({
  getParentRoute: () => frame,
  path: "/knowledge/$collection",
  validateSearch: optional((search) => ({ tab: text(search.tab), q: text(search.q) })),
  ...page("knowledge", () => import("./features/knowledge/collection")),
});

const document = createRoute({
  getParentRoute: () => frame,
  path: "/documents/$documentId",
  validateSearch: optional((search) => ({
    /** A span of its text that is shown, in characters. */
    start: whole(search.start),
    end: whole(search.end),
    tab: text(search.tab),
  })),
  ...page("knowledge", () => import("./features/knowledge/document")),
});

const threads = createRoute({
  getParentRoute: () => frame,
  path: "/threads",
  validateSearch: optional((search) => ({ status: text(search.status), workflow: text(search.workflow) })),
  ...page("threads", () => import("./features/threads/page")),
});

const thread = createRoute({
  getParentRoute: () => frame,
  path: "/threads/$threadId",
  validateSearch: optional((search) => ({ tab: text(search.tab) })),
  ...page("threads", () => import("./features/threads/thread")),
});

const workflows = createRoute({
  getParentRoute: () => frame,
  path: "/workflows",
  ...page("workflows", () => import("./features/workflows/page")),
});

const workflow = createRoute({
  getParentRoute: () => frame,
  path: "/workflows/$name",
  validateSearch: optional((search) => ({ version: text(search.version) })),
  ...page("workflows", () => import("./features/workflows/workflow")),
});

const system = createRoute({
  getParentRoute: () => frame,
  path: "/system",
  ...page("system", () => import("./features/system/page")),
});

const settings = createRoute({
  getParentRoute: () => frame,
  path: "/settings",
  ...page("settings", () => import("./features/settings/page")),
});

const gallery = createRoute({
  getParentRoute: () => frame,
  path: "/gallery",
  validateSearch: optional((search) => ({ story: text(search.story) })),
  ...page("gallery", () => import("./features/gallery/page")),
});

/** Whatever else the address says. */
const nowhere = createRoute({ getParentRoute: () => frame, path: "$", component: NotFound });

const routeTree = root.addChildren([
  signIn,
  frame.addChildren([
    home,
    jobs,
    job,
    submit,
    submitWorkflow,
    approvals,
    knowledge,
    collection,
    document,
    threads,
    thread,
    workflows,
    workflow,
    system,
    settings,
    gallery,
    nowhere,
  ]),
]);

export const router = createRouter({
  routeTree,
  basepath: PAGE,
  defaultPreload: "intent",
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
  interface StaticDataRouteOption {
    /** Which part of `src/locales` a page is told in. */
    words?: string;
  }
}
