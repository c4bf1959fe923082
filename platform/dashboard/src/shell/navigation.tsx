import { Link, useLocation } from "@tanstack/react-router";
import { CircleHelp } from "lucide-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, got } from "@/api/client";
import { cx } from "@/lib/cx";
import { useSession } from "@/session/session";
import { Connection } from "./connection";
import { PhoneBar } from "./phone";
import { Count, currentOf, PLACES, type Place } from "./places";

/** How many approvals nobody has decided. The feed of changes sets it; it is asked once. */
function usePending(): number {
  const { data } = useQuery({
    queryKey: ["pending"],
    queryFn: async () => {
      const page = await got(
        api.GET("/api/v1/approvals", { params: { query: { state: ["pending"], limit: 100, fields: ["id"] } } }),
      );
      return (page as { approvals: unknown[] }).approvals.length;
    },
    staleTime: Infinity,
  });
  return data ?? 0;
}

export function Navigation() {
  const { t } = useTranslation();
  const session = useSession();
  const pending = usePending();
  return (
    <>
      <nav
        aria-label={t("nav.label")}
        className="fixed inset-y-0 left-0 z-30 hidden w-52 flex-col border-r border-line bg-sunken md:flex"
      >
        <Link to="/jobs" className="flex items-center gap-2.5 px-4 py-4">
          <img src="icon.svg" alt="" className="size-7" />
          <span className="text-[1.05rem] font-semibold tracking-tight">Mutirão</span>
        </Link>
        <ul className="flex-1 space-y-0.5 overflow-y-auto px-2">
          {PLACES.map((place) => (
            <li key={place.to}>
              <Entry place={place} count={place.to === "/approvals" ? pending : 0} />
            </li>
          ))}
        </ul>
        <div className="border-t border-line px-4 py-3 text-[0.8rem]">
          <Connection />
          <div className="mt-1.5 truncate text-soft" title={session.subject}>
            {session.project.name} · {session.subject}
          </div>
          <div className="mt-0.5 flex items-center gap-2 text-soft">
            <span>v{session.version}</span>
            <a href={"../docs"} className="inline-flex items-center gap-1 underline-offset-2 hover:text-ink hover:underline">
              <CircleHelp aria-hidden size={12} /> API
            </a>
          </div>
        </div>
      </nav>
      <PhoneBar pending={pending} />
      <header className="flex items-center justify-between border-b border-line bg-sunken px-4 py-2 md:hidden">
        <span className="flex items-center gap-2 font-semibold">
          <img src="icon.svg" alt="" className="size-6" /> Mutirão
        </span>
        <Connection />
      </header>
    </>
  );
}

function Entry({ place, count }: { place: Place; count: number }) {
  const { t } = useTranslation();
  const { pathname } = useLocation();
  return (
    <Link
      to={place.to}
      {...currentOf(place, pathname)}
      className={cx(
        "flex items-center gap-2.5 rounded-md px-2.5 py-1.5 text-sm text-soft hover:bg-hover hover:text-ink",
        "aria-[current=page]:bg-surface aria-[current=page]:font-medium aria-[current=page]:text-ink aria-[current=page]:shadow-card",
      )}
    >
      <place.icon aria-hidden size={17} />
      <span className="flex-1">{t(`nav.${place.word}`)}</span>
      {count > 0 && <Count count={count} />}
    </Link>
  );
}
