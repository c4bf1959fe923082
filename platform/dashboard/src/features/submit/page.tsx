import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { ApiError, api, got } from "@/api/client";
import { useMay } from "@/session/session";
import { buttonClass } from "@/ui/button";
import { Page } from "@/ui/layout";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { SubmitForm } from "./form";
import { Described } from "@/ui/described";

const route = getRouteApi("/frame/submit/$workflow");

export default function SubmitPage() {
  const { t } = useTranslation("submit");
  const { workflow: name } = route.useParams();
  const { from, version } = route.useSearch();
  const may = useMay("submit");
  const workflow = useQuery({
    queryKey: ["workflow", name, version ?? null],
    queryFn: () => got(api.GET("/api/v1/workflows/{name}", { params: { path: { name }, query: { version } } })),
    staleTime: 30_000,
  });
  const earlier = useQuery({
    queryKey: ["job-again", from],
    queryFn: () => got(api.GET("/api/v1/jobs/{job_id}", { params: { path: { job_id: from ?? "" } } })),
    enabled: from !== undefined,
    staleTime: Infinity,
  });
  const unknown = workflow.error instanceof ApiError && workflow.error.status === 404;
  return (
    <Page
      wide
      title={name}
      over={
        <Link to="/submit" className="underline-offset-2 hover:text-ink hover:underline">
          {t("choose.title")}
        </Link>
      }
      beside={workflow.data && <span className="font-mono text-[0.8rem] text-soft">{workflow.data.version}</span>}
    >
      {!may ? (
        <Notice kind="warning" title={t("may_not")}>
          {t("may_not_hint")}
        </Notice>
      ) : workflow.error ? (
        <>
          <ErrorNotice error={workflow.error} retry={unknown ? undefined : () => void workflow.refetch()} />
          <Link to="/submit" className={`${buttonClass()} mt-4`}>
            {t("choose.title")}
          </Link>
        </>
      ) : workflow.isPending || (from && earlier.isPending) ? (
        <Skeleton lines={8} />
      ) : (
        <>
          {workflow.data.description && <p className="mb-4 max-w-prose text-sm text-soft"><Described text={workflow.data.description} /></p>}
          {workflow.data.workers === 0 && (
            <Notice kind="warning" className="mb-4 max-w-3xl" title={t("unserved")}>
              {t("unserved_hint", { queue: workflow.data.queue })}
            </Notice>
          )}
          {earlier.error && <ErrorNotice error={earlier.error} className="mb-4 max-w-3xl" />}
          <SubmitForm key={`${name} ${from ?? ""}`} workflow={workflow.data} version={version} earlier={earlier.data} />
        </>
      )}
    </Page>
  );
}
