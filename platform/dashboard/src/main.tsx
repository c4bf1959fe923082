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
const words = startI18n();
// Meanwhile: who is signed in, and the code of the page that the address names.
const routes: Record<string, { options: { component?: RouteComponent } }> = router.routesById;
for (const { routeId } of router.matchRoutes(router.latestLocation) as { routeId: string }[]) {
  if (routeId === "/frame") void queryClient.prefetchQuery(sessionQuery);
  void routes[routeId]?.options.component?.preload?.();
}
await words;

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <QueryClientProvider client={queryClient}>
      <Suspense>
        <RouterProvider router={router} />
      </Suspense>
    </QueryClientProvider>
  </StrictMode>,
);
