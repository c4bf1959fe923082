import { CircleAlert, Info, Inbox, TriangleAlert, type LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import { cx } from "@/lib/cx";
import { Button } from "./button";

type Kind = "info" | "warning" | "error";
const KINDS: Record<Kind, [LucideIcon, string, string]> = {
  info: [Info, "border-line bg-surface", "text-running"],
  warning: [TriangleAlert, "border-paused/40 bg-paused-soft", "text-paused"],
  error: [CircleAlert, "border-bad/40 bg-bad-soft", "text-bad"],
};

/** Something to be read before the rest. `title` says what is, `children` what to do about it. */
export function Notice({
  kind = "info",
  title,
  children,
  actions,
  className,
}: {
  kind?: Kind;
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  className?: string;
}) {
  const [Icon, box, text] = KINDS[kind];
  return (
    <div role={kind === "error" ? "alert" : "status"} className={cx("flex gap-3 rounded-lg border p-3", box, className)}>
      <Icon aria-hidden size={18} className={cx("mt-0.5 shrink-0", text)} />
      <div className="min-w-0 flex-1 text-sm">
        <div className="font-semibold break-words">{title}</div>
        {children && <div className="mt-0.5 break-words">{children}</div>}
        {actions && <div className="mt-2 flex flex-wrap gap-2">{actions}</div>}
      </div>
    </div>
  );
}

/** What the API has refused, or that it is not there. */
export function ErrorNotice({ error, retry, className }: { error: unknown; retry?: () => void; className?: string }) {
  const { t } = useTranslation();
  const known = error instanceof ApiError ? error : null;
  const title = known?.unreachable ? t("error.unreachable") : (known?.detail ?? String(error));
  return (
    <Notice
      kind="error"
      title={title}
      className={className}
      actions={retry && <Button small onClick={retry}>{t("action.try_again")}</Button>}
    >
      {known && !known.unreachable && (
        <>
          {known.errors.length > 0 && (
            <ul className="mb-1 list-disc pl-4">
              {known.errors.map((each, index) => (
                <li key={index}>
                  {each.path && <code>{each.path}: </code>}
                  {each.message}
                </li>
              ))}
            </ul>
          )}
          <span className="font-mono text-[0.8rem]">
            {known.code}
            {known.requestId && ` · ${t("error.request")} ${known.requestId}`}
          </span>
        </>
      )}
      {known?.unreachable && t("error.unreachable_hint")}
    </Notice>
  );
}

/** Nothing is here yet: why, and what to do. */
export function Empty({
  icon: Icon = Inbox,
  title,
  children,
  actions,
}: {
  icon?: LucideIcon;
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center rounded-lg border border-dashed border-line px-6 py-12 text-center">
      <Icon aria-hidden size={28} strokeWidth={1.6} className="mb-3 text-soft" />
      <div className="font-semibold">{title}</div>
      {children && <div className="mt-1 max-w-prose text-sm text-soft">{children}</div>}
      {actions && <div className="mt-4 flex flex-wrap justify-center gap-2">{actions}</div>}
    </div>
  );
}

/** Grey lines where text will be. */
export function Skeleton({ lines = 3, className }: { lines?: number; className?: string }) {
  const { t } = useTranslation();
  return (
    <div role="status" aria-label={t("loading")} className={cx("space-y-2", className)}>
      {Array.from({ length: lines }, (_, index) => (
        <div key={index} className="skeleton h-5" style={{ width: `${96 - ((index * 17) % 40)}%` }} />
      ))}
    </div>
  );
}
