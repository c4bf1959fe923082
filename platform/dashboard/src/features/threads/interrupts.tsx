import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { buttonClass } from "@/ui/button";
import { Json } from "@/ui/json";
import { Notice } from "@/ui/notices";
import { askedQuery, type Thread } from "./queries";

interface Asked {
  id: string;
  value: unknown;
}

/** What a thread asks people, and where that is decided. */
export function Interrupts({ thread, jobId }: { thread: Thread; jobId: string | undefined }) {
  const { t } = useTranslation("threads");
  const { data: approvals } = useQuery({ ...askedQuery(jobId ?? ""), enabled: !!jobId });
  const asked = Object.values(thread.interrupts).flatMap((each) => each as Asked[]);
  return (
    <Notice kind="warning" title={t("asks", { count: asked.length })} className="mb-4">
      <ul className="mt-2 space-y-2">
        {asked.map((each) => {
          const approval = approvals?.find((one) => one.interrupt_id === each.id);
          return (
            <li key={each.id} className="space-y-2">
              {typeof each.value === "string" ? <p className="break-words whitespace-pre-wrap">{each.value}</p> : <Json value={each.value} label={t("question")} />}
              {approval && (
                <Link to="/approvals" search={{ open: approval.id }} className={buttonClass("primary", true)}>
                  {t("decide")}
                </Link>
              )}
            </li>
          );
        })}
      </ul>
    </Notice>
  );
}
