import { Link, Outlet, useNavigate, useRouter } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { Suspense, useEffect, useState, type MouseEvent } from "react";
import { useTranslation } from "react-i18next";
import { MissingCode } from "@/lib/lazy-component";
import { ChangesProvider } from "@/live/changes";
import { SessionProvider, useSessionState } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Toasts } from "@/ui/toast";
import { Navigation } from "./navigation";
import { ShortcutsProvider } from "./shortcuts";

/** What is round every page: who is not signed in is sent to sign in, and comes back. */
export function Frame() {
  const { t } = useTranslation();
  const session = useSessionState();
  if (session.isPending) return <div className="p-8"><Skeleton lines={4} /></div>;
  if (session.isError) {
    return (
      <main className="mx-auto max-w-xl p-8">
        <ErrorNotice error={session.error} retry={() => void session.refetch()} />
      </main>
    );
  }
  if (session.data === null) return <ToSignIn />;
  return (
    <SessionProvider session={session.data}>
      <ChangesProvider>
        <ShortcutsProvider>
          {/* `<base>` would make another address of a mere fragment. */}
          <a href="#content" onClick={toContent} className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:bg-surface focus:p-2">
            {t("skip_to_content")}
          </a>
          <div className="min-h-dvh md:pl-52">
            <Navigation />
            <main id="content" tabIndex={-1} className="pb-16 outline-none md:pb-0">
              <Suspense fallback={<div className="p-8"><Skeleton lines={6} /></div>}>
                <Outlet />
              </Suspense>
            </main>
          </div>
          <Toasts />
        </ShortcutsProvider>
      </ChangesProvider>
    </SessionProvider>
  );
}

function toContent(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

/** Goes there once: where one was is not to be read again on the way, when it is the way itself. */
function ToSignIn() {
  const navigate = useNavigate();
  const router = useRouter();
  const [next] = useState(() => router.state.location.publicHref);
  useEffect(() => void navigate({ to: "/sign-in", search: { next }, replace: true }), [navigate, next]);
  return null;
}

export function NotFound() {
  const { t } = useTranslation();
  return (
    <Page title={t("not_found.title")}>
      <Empty
        icon={Compass}
        title={t("not_found.what")}
        actions={<Link to="/jobs" className={buttonClass("primary")}>{t("not_found.home")}</Link>}
      >
        {t("not_found.why")}
      </Empty>
    </Page>
  );
}

export function Crashed({ error, reset }: { error: unknown; reset(): void }) {
  const { t } = useTranslation();
  return (
    <main className="mx-auto max-w-2xl p-8">
      <h1 className="mb-3">{t("crashed")}</h1>
      {error instanceof MissingCode ? (
        <Notice
          kind="error"
          title={t("missing_code.title")}
          actions={<Button small onClick={() => location.reload()}>{t("missing_code.reload")}</Button>}
        >
          {t("missing_code.why")} <span className="font-mono text-[0.8rem]">{error.message}</span>
        </Notice>
      ) : (
        <ErrorNotice error={error} retry={reset} />
      )}
    </main>
  );
}
