import { useQuery } from "@tanstack/react-query";
import { Suspense } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact, Job } from "@/api/client";
import { useFormat } from "@/lib/format";
import { lazyComponent } from "@/lib/lazy-component";
import { Section } from "@/ui/layout";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { isConversion } from "./conversion/conversion";
import { isReport } from "./document/report";
import { ReportView } from "./document/view";
import { Downloads } from "./downloads";
import { Fallback } from "./fallback";
import { FilesView } from "./files/view";
import { OutputView } from "./output";
import { artifactsQuery } from "./queries";
import { Views } from "./views";

const ConversionResult = lazyComponent(() => import("./conversion/result"));

interface Props {
  job: Job;
  file: string | undefined;
  citation: number | undefined;
}

/** What a job has come to: its document, its converted code, its data; and the files it has made. */
export default function Results({ job, file, citation }: { job: Job; file?: string | undefined; citation?: number | undefined }) {
  const artifacts = useQuery(artifactsQuery(job));
  if (artifacts.isPending) return <Skeleton lines={8} />;
  if (artifacts.isError) return <ErrorNotice error={artifacts.error} retry={() => void artifacts.refetch()} />;
  const plain = <PlainResult job={job} artifacts={artifacts.data} file={file} />;
  return (
    <Fallback key={job.id} instead={plain}>
      <Suspense fallback={<Skeleton lines={8} />}>
        <KnownResult job={job} artifacts={artifacts.data} file={file} citation={citation} />
      </Suspense>
    </Fallback>
  );
}

function KnownResult(props: Props & { artifacts: Artifact[] }) {
  if (isReport(props.job.output)) return <ReportResult {...props} />;
  if (isConversion(props.job.output)) return <ConversionResult {...props} />;
  return <PlainResult {...props} />;
}

const REPORT_FILES = ["report.md", "report.docx", "citations.json"];

function ReportResult({ job, artifacts, file, citation }: Props & { artifacts: Artifact[] }) {
  const { t } = useTranslation("results");
  return (
    <Views
      usual={file === undefined ? "document" : "files"}
      beside={<Downloads artifacts={REPORT_FILES.flatMap((name) => artifacts.find((each) => each.name === name) ?? [])} />}
      views={[
        { id: "document", label: t("view.document"), content: () => <ReportView job={job} artifacts={artifacts} citation={citation} /> },
        { id: "files", label: t("view.files"), count: artifacts.length, content: () => <FilesView artifacts={artifacts} file={file} /> },
        { id: "data", label: t("view.data"), content: () => <OutputView job={job} /> },
      ]}
    />
  );
}

/** A result of a shape that this page knows nothing of: its data, and its files below. */
function PlainResult({ job, artifacts, file }: { job: Job; artifacts: Artifact[]; file: string | undefined }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const files = artifacts.length > 0 && (
    <Section
      title={
        <>
          {t("files.title")} <span className="font-normal text-soft">{format.number(artifacts.length)}</span>
        </>
      }
    >
      <FilesView artifacts={artifacts} file={file} />
    </Section>
  );
  const hasOutput = job.output !== null && job.output !== undefined;
  return (
    <>
      {(hasOutput || !files) && <OutputView job={job} />}
      {files}
    </>
  );
}
