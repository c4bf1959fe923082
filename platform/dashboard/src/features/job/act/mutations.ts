import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { api, got, type Job, type Schemas } from "@/api/client";
import { toast, toastError } from "@/ui/toast";
import { useJournal } from "../journal";

const WAIT_FOR_END = 2;

/** What is done to the job of this page; each answers with its row. */
export function useMoves(jobId: string) {
  const { t } = useTranslation("job");
  const client = useQueryClient();
  const journal = useJournal();
  const path = { job_id: jobId };
  const took = (job: Job) => {
    client.setQueryData(["job", jobId], job);
    void client.invalidateQueries({ queryKey: ["jobs"] });
  };

  const cancel = useMutation({
    mutationFn: () => got(api.POST("/api/v1/jobs/{job_id}/cancel", { params: { path, query: { wait: WAIT_FOR_END } } })),
    onSuccess: (job) => {
      took(job);
      toast(t(job.state === "cancelled" ? "act.cancelled" : "act.cancelling"));
    },
    onError: toastError,
  });
  const pause = useMutation({
    mutationFn: () => got(api.POST("/api/v1/jobs/{job_id}/pause", { params: { path } })),
    onSuccess: took,
    onError: toastError,
  });
  const resume = useMutation({
    mutationFn: () => got(api.POST("/api/v1/jobs/{job_id}/resume", { params: { path } })),
    onSuccess: took,
    onError: toastError,
  });
  const retry = useMutation({
    mutationFn: (body: Schemas["RetryRequest"]) => got(api.POST("/api/v1/jobs/{job_id}/retry", { params: { path }, body })),
    onSuccess: (job) => {
      took(job);
      journal.open();
      toast(t("act.retried"));
    },
  });
  return { cancel, pause, resume, retry };
}

/** A new job that begins at a checkpoint of this one. */
export function useFork(jobId: string, onDone: (job: Job) => void) {
  return useMutation({
    mutationFn: (body: Schemas["ForkRequest"]) =>
      got(api.POST("/api/v1/jobs/{job_id}/fork", { params: { path: { job_id: jobId } }, body })),
    onSuccess: onDone,
  });
}
