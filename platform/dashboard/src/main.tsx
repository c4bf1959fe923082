import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider, type RouteComponent } from "@tanstack/react-router";
import { StrictMode, Suspense } from "react";
import { createRoot } from "react-dom/client";
import { queryClient } from "./api/query";
import { startI18n } from "./i18n";
import { applyTheme } from "./lib/preferences";
import { router } from "./router";
import { sessionQuery } from "./session/session";
import "./styles.css";

applyTheme();
// At once: words, who is signed in, and the code of the page that the address names.
const routes: Record<string, { options: { component?: RouteComponent; staticData?: { words?: string } } }> = router.routesById;
const addressed = (router.matchRoutes(router.latestLocation) as { routeId: string }[]).map(({ routeId }) => routeId);
if (addressed.includes("/frame")) void queryClient.prefetchQuery(sessionQuery);
for (const id of addressed) void routes[id]?.options.component?.preload?.();
await startI18n(addressed.flatMap((id) => routes[id]?.options.staticData?.words ?? []));

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Suspense>
        <RouterProvider router={router} />
      </Suspense>
    </QueryClientProvider>
  </StrictMode>,
);
