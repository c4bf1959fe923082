import { Link } from "@tanstack/react-router";
import { ArrowUp, Check, CircleX, Clock } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Bar } from "@/ui/bar";
import { Button } from "@/ui/button";
import { Badge, JOB_LOOKS, type Look } from "@/ui/state";
import { IngestState } from "./document-state";
import { dismiss, tryAgain, type Upload, type UploadState } from "./uploads";

const LOOKS: Record<UploadState, Look> = {
  waiting: { ...JOB_LOOKS.queued, icon: Clock },
  sending: { ...JOB_LOOKS.running, icon: ArrowUp, moving: false },
  stored: { ...JOB_LOOKS.succeeded, icon: Check },
  same: { ...JOB_LOOKS.succeeded, icon: Check },
  failed: { ...JOB_LOOKS.failed, icon: CircleX },
};

/** One file on its way: first how much of it has left, then how far the job is that makes it searchable. */
export function UploadRow({ upload }: { upload: Upload }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const { file, state, sent, error, document, jobId } = upload;
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 px-3 py-2.5 text-sm" data-state={state}>
      <div className="min-w-0 flex-1 basis-60">
        <div className="font-medium break-all">
          {document ? (
            <Link to="/documents/$documentId" params={{ documentId: document.id }} className="text-accent-text underline-offset-2 hover:underline">
              {file.name}
            </Link>
          ) : (
            file.name
          )}
        </div>
        <div className="text-[0.8rem] text-soft">
          {format.bytes(file.size)}
          {document && document.version > 1 && ` · ${t("upload.version", { version: format.number(document.version) })}`}
          {state === "same" && ` · ${t("upload.same")}`}
        </div>
        {error && (
          <p role="alert" className="mt-1 break-words text-bad">
            {error.unreachable ? t("upload.unreachable") : error.detail}
          </p>
        )}
      </div>
      {state === "sending" && (
        <div className="w-36">
          <Bar value={sent} max={file.size} label={t("upload.sent", { name: file.name })} color="bg-running" />
          <div className="mt-1 text-[0.8rem] text-soft">{t("upload.of", { sent: format.bytes(sent), size: format.bytes(file.size) })}</div>
        </div>
      )}
      {jobId ? <IngestState jobId={jobId} /> : <Badge look={LOOKS[state]}>{t(`upload.state.${state}`)}</Badge>}
      {jobId && (
        <Link to="/jobs/$jobId" params={{ jobId }} className="text-[0.8rem] text-soft underline-offset-2 hover:text-ink hover:underline">
          {t("upload.job")}
        </Link>
      )}
      {state === "failed" && (
        <Button small onClick={() => tryAgain(upload.id)}>
          {t("upload.again")}
        </Button>
      )}
      {state !== "stored" && state !== "same" && (
        <Button small tone="quiet" onClick={() => dismiss(upload.id)}>
          {state === "failed" ? t("upload.dismiss") : t("upload.stop")}
        </Button>
      )}
    </li>
  );
}
