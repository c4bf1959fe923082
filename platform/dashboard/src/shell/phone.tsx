import { Link, useLocation } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { Count, currentOf, PLACES, type Place } from "./places";

const tab = "relative flex w-full flex-col items-center gap-0.5 py-2 text-[0.7rem] text-soft aria-[current=page]:text-accent-text";

/** The places on a phone: the ones people want there in a bar at the bottom, the others behind its last button. */
export function PhoneBar({ pending }: { pending: number }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  const bar = useRef<HTMLElement>(null);
  const { pathname } = useLocation();
  useEffect(() => setOpen(false), [pathname]);
  useEffect(() => {
    if (!open) return;
    const close = (event: Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !bar.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, [open]);
  const others = PLACES.filter((place) => !place.phone);
  const inside = others.some((place) => pathname.startsWith(place.to));
  return (
    <nav
      ref={bar}
      aria-label={t("nav.label")}
      className="fixed inset-x-0 bottom-0 z-30 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {open && (
        <ul id="more-places" className="border-b border-line p-2">
          {others.map((place) => (
            <li key={place.to}>
              <Link to={place.to} className="flex items-center gap-3 rounded-md px-3 py-2.5 text-sm hover:bg-hover aria-[current=page]:text-accent-text">
                <place.icon aria-hidden size={18} />
                {t(`nav.${place.word}`)}
              </Link>
            </li>
          ))}
        </ul>
      )}
      <ul className="flex">
        {PLACES.filter((place) => place.phone).map((place: Place) => (
          <li key={place.to} className="flex-1">
            <Link to={place.to} {...currentOf(place, pathname)} className={tab}>
              <place.icon aria-hidden size={19} />
              {t(`nav.${place.word}`)}
              {place.to === "/approvals" && pending > 0 && <Count count={pending} className="absolute top-1 left-[calc(50%+0.3rem)]" />}
            </Link>
          </li>
        ))}
        <li className="flex-1">
          <button
            type="button"
            aria-expanded={open}
            aria-controls="more-places"
            onClick={() => setOpen(!open)}
            className={cx(tab, inside && "text-accent-text")}
          >
            <Ellipsis aria-hidden size={19} />
            {t("nav.more")}
          </button>
        </li>
      </ul>
    </nav>
  );
}
