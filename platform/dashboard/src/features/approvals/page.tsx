import { useInfiniteQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { ArrowLeft, ShieldQuestion } from "lucide-react";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Approval } from "@/api/client";
import { cx } from "@/lib/cx";
import { Button } from "@/ui/button";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { toast } from "@/ui/toast";
import { Bulk } from "./bulk";
import { Detail } from "./detail";
import { FilterBar } from "./filter-bar";
import { headline, readQuestion } from "./question";
import { inboxQuery } from "./queries";
import { Row } from "./row";
import { useListKeys } from "./use-list-keys";

/** The inbox: what graphs ask people, found, decided one by one or together. */
export default function ApprovalsPage() {
  const { t } = useTranslation("approvals");
  const search = useSearch({ from: "/frame/approvals" });
  const navigate = useNavigate({ from: "/approvals" });
  const inbox = useInfiniteQuery(inboxQuery(search));
  const approvals = useMemo(() => inbox.data?.pages.flatMap((page) => page.approvals) ?? [], [inbox.data]);
  const [picked, setPicked] = useState<ReadonlySet<string>>(new Set());
  const chosen = approvals.filter((each) => picked.has(each.id) && each.state === "pending");

  const open = (id: string | undefined) => void navigate({ search: (old) => ({ ...old, open: id }), replace: true, resetScroll: false });
  useListKeys(approvals, search.open, open);
  const pick = (id: string, on: boolean) =>
    setPicked((before) => {
      const next = new Set(before);
      if (on) next.add(id);
      else next.delete(id);
      return next;
    });
  /** After a decision the next one that waits comes by itself. */
  const goOn = (decided: Approval) => {
    toast(t("decided.told", { what: headline(readQuestion(decided.request)) || t("question") }));
    const at = approvals.findIndex((each) => each.id === decided.id);
    const next = [...approvals.slice(at + 1), ...approvals.slice(0, Math.max(at, 0))].find((each) => each.state === "pending");
    if (next) open(next.id);
  };
  const hasFilter = search.workflow !== undefined || search.assignee !== undefined || search.state !== undefined;
  return (
    <Page title={t("title")} wide>
      <div className={cx(search.open && "max-lg:hidden")}>
        <FilterBar filters={search} onChange={(filters) => void navigate({ search: (old) => ({ ...old, ...filters, open: undefined }), replace: true })} />
      </div>
      <div className="grid gap-6 lg:grid-cols-[minmax(20rem,26rem)_minmax(0,1fr)]">
        <section aria-label={t("list")} className={cx("min-w-0", search.open && "max-lg:hidden")}>
          {inbox.isPending && <Skeleton lines={8} />}
          {inbox.isError && <ErrorNotice error={inbox.error} retry={() => void inbox.refetch()} />}
          {inbox.isSuccess && approvals.length === 0 && (hasFilter ? <NothingFound onReset={() => void navigate({ search: {} })} /> : <NothingYet />)}
          <ul className="space-y-2">
            {approvals.map((approval) => (
              <Row
                key={approval.id}
                approval={approval}
                isOpen={approval.id === search.open}
                isPicked={picked.has(approval.id)}
                onPick={(on) => pick(approval.id, on)}
              />
            ))}
          </ul>
          {inbox.hasNextPage && (
            <Button className="mt-3 w-full" busy={inbox.isFetchingNextPage} onClick={() => void inbox.fetchNextPage()}>
              {t("more")}
            </Button>
          )}
          {chosen.length > 0 && <Bulk approvals={chosen} onDone={() => setPicked(new Set())} />}
        </section>
        <section aria-label={t("detail")} className={cx("min-w-0 lg:sticky lg:top-4 lg:max-h-[calc(100dvh-2rem)] lg:self-start lg:overflow-y-auto", !search.open && "max-lg:hidden")}>
          {search.open ? (
            <>
              <Button small tone="quiet" icon={ArrowLeft} className="mb-2 -ml-2 lg:hidden" onClick={() => open(undefined)}>
                {t("back")}
              </Button>
              <Detail key={search.open} id={search.open} onDone={goOn} />
            </>
          ) : (
            approvals.length > 0 && <p className="rounded-lg border border-dashed border-line p-8 text-center text-sm text-soft">{t("choose")}</p>
          )}
        </section>
      </div>
    </Page>
  );
}

function NothingYet() {
  const { t } = useTranslation("approvals");
  return (
    <Empty icon={ShieldQuestion} title={t("empty.inbox")}>
      <p>{t("empty.inbox_hint")}</p>
      <pre tabIndex={0} className="mt-3 overflow-x-auto rounded-md border border-line bg-sunken p-3 text-left font-mono text-[0.8rem]">
        {"from langgraph.types import interrupt\n\nanswer = interrupt({\"question\": \"…\", \"draft\": draft})"}
      </pre>
    </Empty>
  );
}

function NothingFound({ onReset }: { onReset(): void }) {
  const { t } = useTranslation("approvals");
  return (
    <Empty title={t("empty.filtered")} actions={<Button onClick={onReset}>{t("empty.reset")}</Button>}>
      {t("empty.filtered_hint")}
    </Empty>
  );
}
