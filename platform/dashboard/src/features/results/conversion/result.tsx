import { useTranslation } from "react-i18next";
import type { Artifact, Job } from "@/api/client";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Downloads } from "../downloads";
import { FilesView } from "../files/view";
import { Preview } from "../files/preview";
import { OutputView } from "../output";
import { Views, type View } from "../views";
import { CodeBrowser } from "./browser";
import type { Conversion } from "./conversion";
import { useConversion } from "./data";
import { Overview } from "./overview";

const FILES = ["converted.zip", "changes.diff", "report.md"];

interface Props {
  job: Job;
  artifacts: Artifact[];
  file: string | undefined;
}

/** A source tree that was converted: what was done and shown, each file beside what it was, and what was left. */
export default function ConversionResult({ job, artifacts, file }: Props) {
  const { t } = useTranslation("results");
  const { conversion, error, retry } = useConversion(job, artifacts);
  if (!conversion) return <Skeleton lines={10} />;
  const single = (name: string) => artifacts.find((each) => each.name === name);
  const report = single("report.md");
  const views: View[] = [
    { id: "overview", label: t("view.overview"), content: () => <Overview job={job} conversion={conversion} /> },
    { id: "code", label: t("view.code"), content: () => <CodeBrowser jobId={job.id} artifacts={artifacts} conversion={conversion} file={file} /> },
    ...(report ? [{ id: "report", label: t("view.report"), content: () => <Preview artifact={report} /> }] : []),
    { id: "files", label: t("view.files"), count: artifacts.length, content: () => <FilesView artifacts={artifacts} file={file} /> },
    { id: "data", label: t("view.data"), content: () => <OutputView job={job} /> },
  ];
  return (
    <>
      {error !== undefined && error !== null && <ErrorNotice error={error} retry={retry} className="mb-4" />}
      <Views
        usual={usualFor(file, conversion, artifacts)}
        views={views}
        beside={<Downloads artifacts={FILES.flatMap((name) => single(name) ?? [])} />}
      />
    </>
  );
}

/** An address may name a file and no view: that of the tree, or one that the job has stored. */
function usualFor(file: string | undefined, conversion: Conversion, artifacts: Artifact[]): string {
  if (file === undefined) return "overview";
  if (conversion.files.some((each) => each.path === file)) return "code";
  return artifacts.some((each) => each.name === file) ? "files" : "code";
}
