import { QueryClient, QueryClientProvider, type QueryKey } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, Outlet, RouterProvider } from "@tanstack/react-router";
import { useState } from "react";
import { PAGE } from "@/api/client";
import { ActionsProvider } from "@/features/job/act/context";
import { Measures } from "@/features/job/head/measures";
import { Situation } from "@/features/job/head/situation";
import { StreamLine } from "@/features/job/head/stream-line";
import { Journal, JournalProvider } from "@/features/job/journal";
import type { StreamState } from "@/live/stream";
import { JobBadge } from "@/ui/state";
import type { Told } from "./data/jobs";

interface Props {
  told: Told;
  stream?: StreamState;
  /** What the API would answer. */
  answers?: [QueryKey, unknown][];
}

/** The head of a job's page with a fixed job: in a router and a store of its own, so nothing is asked of the API. */
export function JobStory({ told, stream = "ended", answers = [] }: Props) {
  const [{ client, journal, router }] = useState(() => ({
    client: clientWith(answers),
    journal: journalOf(told, stream),
    router: routerAt(told),
  }));
  return (
    <QueryClientProvider client={client}>
      <JournalProvider value={journal}>
        <RouterProvider router={router as never} />
      </JournalProvider>
    </QueryClientProvider>
  );
}

function Head({ told: { job } }: { told: Told }) {
  return (
    <ActionsProvider job={job}>
      <p className="mb-3">
        <JobBadge state={job.state} waitingFor={job.waiting_for} />
      </p>
      <Measures job={job} />
      <StreamLine />
      <Situation job={job} />
    </ActionsProvider>
  );
}

function clientWith(answers: [QueryKey, unknown][]): QueryClient {
  const client = new QueryClient({ defaultOptions: { queries: { enabled: false, staleTime: Infinity } } });
  for (const [key, answer] of answers) client.setQueryData(key, answer);
  return client;
}

function journalOf({ job, events }: Told, stream: StreamState): Journal {
  const journal = new Journal(job.id);
  journal.model.take(events);
  journal.stream = stream;
  return journal;
}

// The parts of the page look for the route of a job.
function routerAt(told: Told) {
  const root = createRootRoute({ component: Outlet });
  const frame = createRoute({ getParentRoute: () => root, id: "frame", component: Outlet });
  const job = createRoute({ getParentRoute: () => frame, path: "/jobs/$jobId", component: () => <Head told={told} /> });
  return createRouter({
    routeTree: root.addChildren([frame.addChildren([job])]),
    basepath: PAGE,
    history: createMemoryHistory({ initialEntries: [`${PAGE}jobs/${told.job.id}`] }),
    defaultNotFoundComponent: () => null,
  });
}
