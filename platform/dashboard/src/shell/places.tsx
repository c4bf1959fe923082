import {
  Activity,
  BookOpen,
  ListChecks,
  MessagesSquare,
  Rocket,
  Settings2,
  ShieldQuestion,
  Workflow,
  type LucideIcon,
} from "lucide-react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";

export interface Place {
  to: "/jobs" | "/submit" | "/approvals" | "/knowledge" | "/threads" | "/workflows" | "/system" | "/settings";
  icon: LucideIcon;
  word: string;
  /** Where one is there, too, by another address. */
  also?: string;
  /** In the bar of a phone. */
  phone?: boolean;
}

export const PLACES: readonly Place[] = [
  { to: "/jobs", icon: ListChecks, word: "jobs", phone: true },
  { to: "/submit", icon: Rocket, word: "submit", phone: true },
  { to: "/approvals", icon: ShieldQuestion, word: "approvals", phone: true },
  { to: "/knowledge", icon: BookOpen, word: "knowledge", also: "/documents", phone: true },
  { to: "/threads", icon: MessagesSquare, word: "threads" },
  { to: "/workflows", icon: Workflow, word: "workflows" },
  { to: "/system", icon: Activity, word: "system" },
  { to: "/settings", icon: Settings2, word: "settings" },
];

/** What of a link to a place says that one is there, when its own address does not. */
export const currentOf = (place: Place, pathname: string) =>
  place.also && pathname.startsWith(place.also) ? ({ "aria-current": "page" } as const) : {};

/** How many approvals wait. */
export function Count({ count, className }: { count: number; className?: string }) {
  const { t } = useTranslation();
  return (
    <span
      aria-label={t("nav.pending", { count })}
      role="img"
      className={cx("rounded-full bg-paused-soft px-1.5 text-[0.75rem] font-semibold text-paused", className)}
    >
      {count >= 100 ? "99+" : count}
    </span>
  );
}
