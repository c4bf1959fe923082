import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Check, CircleX } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Approval, Schemas } from "@/api/client";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, TextArea } from "@/ui/field";
import { ErrorNotice, Notice } from "@/ui/notices";
import { toast } from "@/ui/toast";
import { gist, headline, readQuestion } from "./question";
import { decideMany, refreshApprovals } from "./queries";

type Way = "approve" | "reject";
const MOST = 100;

/** The same decision about several: shown once more before it is sent, and what became of each. */
export function Bulk({ approvals, onDone }: { approvals: Approval[]; onDone(): void }) {
  const { t } = useTranslation("approvals");
  const { t: common } = useTranslation();
  const client = useQueryClient();
  const [way, setWay] = useState<Way | null>(null);
  const [comment, setComment] = useState("");
  const able = approvals.filter((each) => way && allows(each, way)).slice(0, MOST);
  const send = useMutation({
    mutationFn: (type: Way) => decideMany({ ids: able.map((each) => each.id), type, decisions: [], ...(comment.trim() ? { comment: comment.trim() } : {}) }),
    onSettled: () => refreshApprovals(client),
    onSuccess: ({ results }) => {
      if (results.some((each) => each.error)) return;
      toast(t("bulk.told", { count: results.length }));
      setWay(null);
      onDone();
    },
  });
  const begin = (next: Way) => {
    send.reset();
    setComment("");
    setWay(next);
  };
  return (
    <div
      role="region"
      aria-label={t("bulk.label")}
      className="sticky bottom-[calc(3.8rem+env(safe-area-inset-bottom))] z-10 mt-3 flex flex-wrap items-center gap-2 rounded-lg border border-line-strong bg-surface p-2.5 shadow-card md:bottom-3"
    >
      <span className="flex-1 px-1 text-sm font-medium" role="status">
        {t("bulk.picked", { count: approvals.length })}
      </span>
      <Button small icon={Check} onClick={() => begin("approve")}>
        {t("kind.approve")}
      </Button>
      <Button small icon={CircleX} tone="danger" onClick={() => begin("reject")}>
        {t("kind.reject")}
      </Button>
      <Button small tone="quiet" onClick={onDone}>
        {t("bulk.clear")}
      </Button>
      <Dialog
        open={way !== null}
        onOpenChange={(open) => !open && setWay(null)}
        title={way && t(`bulk.${way}`, { count: able.length })}
        description={t("bulk.hint")}
        actions={
          <>
            <Button onClick={() => setWay(null)}>{common("action.cancel")}</Button>
            <Button tone={way === "reject" ? "danger" : "primary"} busy={send.isPending} disabled={able.length === 0} onClick={() => way && send.mutate(way)}>
              {way && t(`bulk.${way}`, { count: able.length })}
            </Button>
          </>
        }
      >
        <ul className="mb-4 divide-y divide-line text-sm">
          {approvals.map((each) => (
            <Line key={each.id} approval={each} way={way ?? "approve"} result={send.data?.results.find((one) => one.id === each.id)} />
          ))}
        </ul>
        {approvals.length > MOST && <Notice title={t("bulk.most", { count: MOST })} className="mb-4" />}
        <Field label={t("decide.comment")} hint={t("decide.comment_hint")} className="mb-0">
          {(control) => <TextArea {...control} rows={2} maxLength={10_000} value={comment} onChange={(event) => setComment(event.target.value)} />}
        </Field>
        {send.isError && <ErrorNotice error={send.error} className="mt-3" />}
      </Dialog>
    </div>
  );
}

const allows = (approval: Approval, way: Way) =>
  approval.allowed.includes(way) && readQuestion(approval.request).kind !== "effect";

function Line({ approval, way, result }: { approval: Approval; way: Way; result: Schemas["DecisionResult"] | undefined }) {
  const { t } = useTranslation("approvals");
  const question = readQuestion(approval.request);
  return (
    <li className="py-1.5">
      <span className="font-medium break-words">{headline(question) || t("question")}</span>{" "}
      <span className="text-soft">{approval.workflow}</span>
      <span className="line-clamp-1 text-[0.9em] break-all text-soft">{gist(question)}</span>
      {!allows(approval, way) && <span className="block text-[0.85em] text-stranded">{t("bulk.not_allowed")}</span>}
      {result?.error && (
        <span role="alert" className="block text-[0.85em] text-bad">
          {result.error.message}
        </span>
      )}
      {result?.approval && <span className="block text-[0.85em] text-good">{t("bulk.done")}</span>}
    </li>
  );
}
