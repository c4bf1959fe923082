import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { MessagesSquare } from "lucide-react";
import { useTranslation } from "react-i18next";
import { workflowsQuery } from "@/features/workflows/queries";
import { Button, buttonClass } from "@/ui/button";
import { ShortId } from "@/ui/copy";
import { cx } from "@/lib/cx";
import { filterClass, Select } from "@/ui/field";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Ago } from "@/ui/time";
import { threadsQuery, THREAD_STATUSES, useLiveThreads, type ListedThread } from "./queries";
import { StatusBadge } from "./status";

export default function ThreadsPage() {
  const { t } = useTranslation("threads");
  const filter = useSearch({ from: "/frame/threads" });
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(threadsQuery(filter));
  useLiveThreads();
  const threads = data?.pages.flatMap((page) => page.rows) ?? [];
  const isFiltered = !!filter.status || !!filter.workflow;
  return (
    <Page title={t("title")}>
      <Filters />
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={8} />
      ) : threads.length === 0 ? (
        <Empty
          icon={MessagesSquare}
          title={t(isFiltered ? "none_match" : "empty.title")}
          actions={
            isFiltered ? (
              <Link to="/threads" className={buttonClass()}>
                {t("show_all")}
              </Link>
            ) : (
              <Link to="/submit" className={buttonClass("primary")}>
                {t("empty.submit")}
              </Link>
            )
          }
        >
          {!isFiltered && t("empty.what")}
        </Empty>
      ) : (
        <Table threads={threads} />
      )}
      {hasNextPage && (
        <Button className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </Page>
  );
}

function Filters() {
  const { t } = useTranslation("threads");
  const filter = useSearch({ from: "/frame/threads" });
  const navigate = useNavigate({ from: "/threads" });
  const { data: workflows } = useQuery(workflowsQuery);
  const set = (change: typeof filter) => void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  return (
    <div role="search" aria-label={t("filters")} className="mb-4 flex flex-wrap gap-2">
      <Select
        aria-label={t("column.status")}
        className={filterClass}
        value={filter.status ?? ""}
        onChange={(event) => set({ status: event.target.value || undefined })}
      >
        <option value="">{t("any_status")}</option>
        {THREAD_STATUSES.map((status) => (
          <option key={status} value={status}>
            {t(`status.${status}`)}
          </option>
        ))}
      </Select>
      <Select
        aria-label={t("column.workflow")}
        className={cx(filterClass, "max-w-52")}
        value={filter.workflow ?? ""}
        onChange={(event) => set({ workflow: event.target.value || undefined })}
      >
        <option value="">{t("any_workflow")}</option>
        {filter.workflow && !workflows?.some((each) => each.name === filter.workflow) && <option>{filter.workflow}</option>}
        {workflows?.map((each) => <option key={each.name}>{each.name}</option>)}
      </Select>
    </div>
  );
}

function Table({ threads }: { threads: ListedThread[] }) {
  const { t } = useTranslation("threads");
  const columns: Column<ListedThread>[] = [
    {
      id: "thread",
      head: t("column.thread"),
      title: true,
      className: "sm:w-full",
      cell: (each) => (
        <Link to="/threads/$threadId" params={{ threadId: each.id }} className="flex flex-wrap items-baseline gap-x-3 underline-offset-2 hover:underline">
          <span className="font-medium break-words text-accent-text">{each.workflow ?? t("no_workflow")}</span>
          <ShortId id={each.id} />
          <Named metadata={each.metadata} />
        </Link>
      ),
    },
    { id: "status", head: t("column.status"), cell: (each) => <StatusBadge status={each.status} /> },
    { id: "updated", head: t("column.updated"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.state_updated_at} /> },
    { id: "created", head: t("column.created"), minor: true, className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.created_at} /> },
    {
      id: "jobs",
      head: <span className="sr-only">{t("jobs")}</span>,
      cell: (each) => (
        <Link to="/jobs" search={{ thread: each.id }} className={buttonClass("quiet", true)} aria-label={t("jobs_of", { id: each.id.slice(-8) })}>
          {t("jobs")}
        </Link>
      ),
    },
  ];
  return (
    <Rows
      label={t("title")}
      columns={columns}
      rows={threads}
      rowKey={(each) => each.id}
      rowProps={(each) => ({ "data-thread": each.id, "data-state": each.status })}
    />
  );
}

const SHOWN = 3;

/** What its owner has written on a thread; the words of the platform are left out. */
function Named({ metadata }: { metadata: Record<string, unknown> }) {
  const own = Object.entries(metadata).filter(([name, value]) => name !== "graph_id" && name !== "assistant_id" && typeof value !== "object");
  return (
    <span className="text-[0.8rem] break-words text-soft">
      {own
        .slice(0, SHOWN)
        .map(([name, value]) => `${name}: ${String(value).slice(0, 60)}`)
        .join(" · ")}
    </span>
  );
}
