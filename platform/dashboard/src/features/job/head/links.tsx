import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { CopyButton, ShortId } from "@/ui/copy";
import { Ago } from "@/ui/time";
import { useModel } from "../journal";

export const linkClass = "text-accent-text underline-offset-2 hover:underline";

/** What the job belongs to, and where it came from. */
export function Links({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { model } = useModel("state");
  const worker = model.attempts.at(-1)?.worker;
  return (
    <ul className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-1 text-[0.85rem] text-soft">
      <Item name={t("link.version")}>
        <Link to="/workflows/$name" params={{ name: job.workflow }} search={{ version: job.version }} className={linkClass}>
          {job.workflow}@{job.version}
        </Link>
      </Item>
      <Item name={t("link.submitted")}>
        <Ago at={job.created_at} />
        {job.created_by && <span> · {job.created_by}</span>}
      </Item>
      {job.parent_id && (
        <Item name={t("link.parent")}>
          <ToJob id={job.parent_id} />
          {job.ordinal != null && <span> · {t("link.ordinal", { ordinal: job.ordinal + 1 })}</span>}
        </Item>
      )}
      {model.forkedFrom && (
        <Item name={t("link.forked_from")}>
          <ToJob id={model.forkedFrom} />
        </Item>
      )}
      {model.supersededBy && (
        <Item name={t("link.superseded_by")}>
          <ToJob id={model.supersededBy} />
        </Item>
      )}
      <Item name={t("link.thread")}>
        <Link to="/threads/$threadId" params={{ threadId: job.thread_id }} className={linkClass}>
          <ShortId id={job.thread_id} />
        </Link>
      </Item>
      {job.schedule_id && (
        <Item name={t("link.schedule")}>
          <Link to="/jobs" search={{ schedule: job.schedule_id }} className={linkClass}>
            <ShortId id={job.schedule_id} />
          </Link>
        </Item>
      )}
      <Item name={t("link.queue")}>
        {job.queue}
        {worker && <span> · {worker}</span>}
      </Item>
      <li className="-my-1">
        <CopyButton text={job.id} label={t("link.copy_id")} />
      </li>
    </ul>
  );
}

function Item({ name, children }: { name: string; children: ReactNode }) {
  return (
    <li>
      {name} <span className="text-ink">{children}</span>
    </li>
  );
}

export function ToJob({ id }: { id: string }) {
  return (
    <Link to="/jobs/$jobId" params={{ jobId: id }} className={linkClass}>
      <ShortId id={id} />
    </Link>
  );
}
