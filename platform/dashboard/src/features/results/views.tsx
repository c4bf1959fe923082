import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { usePlace } from "@/features/job/place";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";

export interface View {
  id: string;
  label: string;
  count?: number;
  content(): ReactNode;
}

/** Views of one result, each with its own address. `usual` is shown where the address names none. */
export function Views({ views, usual, beside }: { views: View[]; usual: string; beside?: ReactNode }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const { jobId, look } = usePlace();
  const shown = views.find((view) => view.id === look.view) ?? views.find((view) => view.id === usual);
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center justify-between gap-x-4 gap-y-3 print:hidden">
        <nav aria-label={t("view.label")} className="-mx-1 flex max-w-full gap-1 overflow-x-auto px-1 py-1">
          {views.map((view) => (
            <Link
              key={view.id}
              to="/jobs/$jobId"
              params={{ jobId }}
              search={(old) => ({ ...old, view: view.id, file: undefined, citation: undefined })}
              resetScroll={false}
              preload={false}
              aria-current={view === shown ? "page" : undefined}
              className={cx(
                "rounded-full px-3 py-1 text-[0.85rem] font-medium whitespace-nowrap",
                view === shown ? "bg-accent-soft text-accent-text" : "text-soft hover:bg-hover hover:text-ink",
              )}
            >
              {view.label}
              {view.count !== undefined && <span className="ml-1.5 font-normal">{format.number(view.count)}</span>}
            </Link>
          ))}
        </nav>
        {beside}
      </div>
      {shown?.content()}
    </>
  );
}
