import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/ui/copy";
import { Json } from "@/ui/json";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Tabs } from "@/ui/tabs";
import { DeleteThread } from "./delete";
import { ThreadDetails } from "./details";
import { History } from "./history";
import { Interrupts } from "./interrupts";
import { ThreadJobs } from "./jobs";
import { messagesOf } from "./messages";
import { threadJobsQuery, threadQuery, useLiveThreads, type Thread } from "./queries";
import { StatusBadge } from "./status";
import { Transcript } from "./transcript";

export default function ThreadPage() {
  const { t } = useTranslation("threads");
  const { threadId } = useParams({ from: "/frame/threads/$threadId" });
  const { data, error, refetch } = useQuery(threadQuery(threadId));
  useLiveThreads(threadId);
  return (
    <Page
      title={data ? t("thread_of", { workflow: data.workflow ?? t("no_workflow") }) : t("thread")}
      over={
        <Link to="/threads" className="underline-offset-2 hover:text-ink hover:underline">
          {t("title")}
        </Link>
      }
      beside={data && <StatusBadge status={data.status} />}
      actions={
        <>
          <CopyButton text={threadId} label={t("copy_id")} />
          {data && <DeleteThread thread={data} />}
        </>
      }
    >
      {error && !data ? <ErrorNotice error={error} retry={() => void refetch()} /> : data ? <Shown thread={data} /> : <Skeleton lines={8} />}
    </Page>
  );
}

function Shown({ thread }: { thread: Thread }) {
  const { t } = useTranslation("threads");
  const { tab } = useSearch({ from: "/frame/threads/$threadId" });
  const navigate = useNavigate({ from: "/threads/$threadId" });
  const { data: jobs } = useInfiniteQuery(threadJobsQuery(thread.id));
  const last = jobs?.pages[0]?.rows[0];
  const messages = messagesOf(thread.values);
  const tabs = [
    { id: "values", label: t(messages.length > 0 ? "tab.conversation" : "tab.values"), content: <Values thread={thread} messages={messages} /> },
    { id: "jobs", label: t("tab.jobs"), content: <ThreadJobs threadId={thread.id} /> },
    { id: "history", label: t("tab.history"), content: <History threadId={thread.id} /> },
    { id: "details", label: t("tab.details"), content: <ThreadDetails thread={thread} /> },
  ];
  return (
    <>
      {Object.keys(thread.interrupts).length > 0 && <Interrupts thread={thread} jobId={last?.id} />}
      {thread.status === "error" && <Failed error={thread.error} jobId={last?.id} />}
      <Tabs
        label={t("thread")}
        tabs={tabs}
        value={tabs.some((each) => each.id === tab) ? tab! : "values"}
        onChange={(id) => void navigate({ search: { tab: id === "values" ? undefined : id }, replace: true })}
      />
    </>
  );
}

function Values({ thread, messages }: { thread: Thread; messages: ReturnType<typeof messagesOf> }) {
  const { t } = useTranslation("threads");
  if (thread.values === null || thread.values === undefined) return <Empty title={t("values.none")}>{t("values.none_what")}</Empty>;
  if (messages.length === 0) return <Json value={thread.values} label={t("tab.values")} />;
  const others = Object.fromEntries(Object.entries(thread.values as Record<string, unknown>).filter(([name]) => name !== "messages"));
  return (
    <>
      <Transcript messages={messages} />
      {Object.keys(others).length > 0 && (
        <div className="mt-6">
          <Json value={others} label={t("values.others")} />
        </div>
      )}
    </>
  );
}

function Failed({ error, jobId }: { error: unknown; jobId: string | undefined }) {
  const { t } = useTranslation("threads");
  const known = error as { message?: unknown; error?: unknown } | string | null;
  const message = typeof known === "string" ? known : String(known?.message ?? known?.error ?? t("failed"));
  return (
    <Notice kind="error" title={message} className="mb-4">
      {jobId && (
        <Link to="/jobs/$jobId" params={{ jobId }} className="underline underline-offset-2">
          {t("to_job")}
        </Link>
      )}
    </Notice>
  );
}
