import { useNavigate } from "@tanstack/react-router";
import { createContext, Suspense, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { lazyComponent } from "@/lib/lazy-component";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { isOver } from "@/ui/state";
import { toast, toastError } from "@/ui/toast";
import { useChildCounts } from "../queries";
import { useMoves } from "./mutations";

const ForkDialog = lazyComponent(() => import("./fork"));
const RetryDialog = lazyComponent(() => import("./retry"));

export type Question = "cancel" | "retry" | "fork";

interface Actions {
  /** Ask before it is done; a fork may be asked for at a checkpoint. */
  open(question: Question, checkpoint?: string): void;
  /** Begin anew from the last checkpoint, that is from the step that has failed. */
  retryNow(): void;
  pause(): void;
  resume(): void;
  busy: boolean;
}

const ActionsContext = createContext<Actions | null>(null);

export function useActions(): Actions {
  const actions = useContext(ActionsContext);
  if (!actions) throw new Error("outside of ActionsProvider");
  return actions;
}

/** What can be done to the job, and the questions that are asked before. */
export function ActionsProvider({ job, children }: { job: Job; children: ReactNode }) {
  const { t } = useTranslation("job");
  const navigate = useNavigate();
  const [asked, setAsked] = useState<{ question: Question; checkpoint?: string | undefined } | null>(null);
  const { cancel, pause, resume, retry } = useMoves(job.id);
  const close = () => setAsked(null);
  useToldOfEnd(job, cancel.isSuccess && cancel.data.state !== "cancelled");
  const busy = cancel.isPending || pause.isPending || resume.isPending || retry.isPending;
  const actions = useMemo(
    (): Actions => ({
      open: (question, checkpoint) => setAsked({ question, checkpoint }),
      retryNow: () => retry.mutate({}, { onError: toastError }),
      pause: () => pause.mutate(),
      resume: () => resume.mutate(),
      busy,
    }),
    [retry, pause, resume, busy],
  );
  return (
    <ActionsContext value={actions}>
      {children}
      <Dialog
        open={asked?.question === "cancel"}
        onOpenChange={close}
        title={t("cancel.title")}
        description={<CancelWhat job={job} />}
        actions={
          <>
            <Button onClick={close}>{t("cancel.keep")}</Button>
            <Button tone="danger" busy={cancel.isPending} onClick={() => cancel.mutate(undefined, { onSettled: close })}>
              {t("act.cancel")}
            </Button>
          </>
        }
      />
      <Suspense>
        {asked?.question === "retry" && <RetryDialog job={job} onClose={close} />}
        {asked?.question === "fork" && (
          <ForkDialog
            job={job}
            at={asked.checkpoint}
            onClose={close}
            onDone={(fork) => {
              close();
              void navigate({ to: "/jobs/$jobId", params: { jobId: fork.id } });
            }}
          />
        )}
      </Suspense>
    </ActionsContext>
  );
}

/** What could not stop at once is said to have stopped when it has. */
function useToldOfEnd(job: Job, waited: boolean): void {
  const { t } = useTranslation("job");
  const over = isOver(job.state);
  useEffect(() => {
    if (waited && over) toast(t("act.cancelled"));
  }, [waited, over, t]);
}

function CancelWhat({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { data } = useChildCounts(job.id, false);
  const open = data ? ["queued", "running", "waiting", "paused", "stranded"].reduce((sum, state) => sum + (data.counts[state] ?? 0), 0) : 0;
  return (
    <>
      {open > 0 ? t("cancel.with_children", { count: open }) : t("cancel.what")} {t("cancel.stays")}
    </>
  );
}
