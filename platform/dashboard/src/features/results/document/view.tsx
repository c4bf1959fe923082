import { useQuery } from "@tanstack/react-query";
import { Tooltip } from "radix-ui";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact, Job } from "@/api/client";
import { cx } from "@/lib/cx";
import { useMedia } from "@/lib/media";
import { useShortcuts } from "@/shell/shortcuts";
import { jsonQuery } from "../queries";
import { Pane, Sheet } from "./pane";
import { Reasoning } from "./reasoning";
import { isCited, readReport, type Block, type Report, type Sentence } from "./report";
import { SentenceText } from "./sentence";
import { Sources } from "./sources";
import { Summary, type Filter } from "./summary";
import { useCitation, useCitationKeys } from "./use-citation";

/** What the model wrote is in a file of its own; without it, sentences only tell whose words they are. */
function useWritten(artifacts: Artifact[]): unknown {
  const { data } = useQuery(jsonQuery(artifacts.find((each) => each.name === "quality.json")));
  return (data as { written?: unknown } | undefined)?.written;
}

/** A document of which every sentence names its source: laid out to be read, each source one step away. */
export function ReportView({ job, artifacts, citation }: { job: Job; artifacts: Artifact[]; citation: number | undefined }) {
  const written = useWritten(artifacts);
  const report = useMemo(() => readReport(job.output, written), [job.output, written]);
  const { t } = useTranslation("results");
  const [filter, setFilter] = useState<Filter>(null);
  const isWide = useMedia("(min-width: 64rem)");
  const go = useCitation(job.id);
  const open = report.citations[(citation ?? 0) - 1];
  useCitationKeys(report.citations.length, open?.number, go);
  // Those keys work in the sheet as well, where the page's shortcuts do not; here they are only told of.
  useShortcuts(t("document.keys"), [
    { keys: "]", label: t("document.next_citation") },
    { keys: "[", label: t("document.previous_citation") },
  ]);
  const sentence = useMemo(
    () =>
      report.sections
        .flatMap((section) => section.blocks.flatMap((block) => block.sentences))
        .find((each) => open && each.citations.includes(open)),
    [report, open],
  );
  const pane = open && { jobId: job.id, citation: open, citations: report.citations, sentence, go };
  return (
    <Tooltip.Provider delayDuration={150} skipDelayDuration={400}>
      <div className={cx("grid gap-8", pane && isWide && "grid-cols-[minmax(0,1fr)_minmax(24rem,0.85fr)]")}>
        <div className={cx("min-w-0", !(pane && isWide) && "mx-auto w-full max-w-[44rem]")}>
          <Summary report={report} filter={filter} onFilter={setFilter} />
          <Reasoning jobId={job.id} steps={report.steps} citations={report.citations} />
          <Paper jobId={job.id} report={report} filter={filter} open={open?.number} />
        </div>
        {pane && isWide && <Pane {...pane} />}
      </div>
      {pane && !isWide && <Sheet {...pane} />}
    </Tooltip.Provider>
  );
}

function Paper({ jobId, report, filter, open }: { jobId: string; report: Report; filter: Filter; open: number | undefined }) {
  const paper = useRef<HTMLElement>(null);
  useEffect(() => {
    if (open === undefined) return;
    const mark = paper.current?.querySelector(`[data-citation="${open}"]`);
    mark?.scrollIntoView({ block: "nearest" });
  }, [open]);
  useEffect(() => {
    if (filter !== null) paper.current?.querySelector("[data-picked]")?.scrollIntoView({ block: "center" });
  }, [filter]);
  return (
    <article
      ref={paper}
      lang={report.language ?? undefined}
      className="rounded-lg border border-line bg-surface px-5 py-7 font-serif text-[1.1rem] leading-[1.7] sm:px-12 sm:py-12 print:border-0 print:bg-transparent print:p-0"
    >
      <div className="mx-auto max-w-[60ch]">
        {report.title && <h2 className="mb-7 text-[1.75rem] leading-[1.2] font-semibold tracking-tight text-balance">{report.title}</h2>}
        {report.sections.filter((section) => section.blocks.some((block) => isShown(block, filter))).map((section, index) => (
          <section key={index} className="mb-7">
            {section.title && <h3 className="mb-2 text-[1.2rem] font-semibold break-after-avoid">{section.title}</h3>}
            {section.blocks.map((block, place) => (
              <BlockText key={place} jobId={jobId} block={block} filter={filter} open={open} />
            ))}
          </section>
        ))}
        <Sources jobId={jobId} citations={report.citations} open={open} />
      </div>
    </article>
  );
}

// What did not get in is no part of the document, unless somebody asks what it was.
const stands = (sentence: Sentence, filter: Filter) => sentence.fate !== "dropped" || filter === "dropped";
const isShown = (block: Block, filter: Filter) => block.sentences.some((each) => stands(each, filter));

function isIn(sentence: Sentence, filter: Filter): boolean {
  return filter === "unchecked" ? sentence.fate !== "dropped" && !isCited(sentence) : sentence.fate === filter;
}

function BlockText({ jobId, block, filter, open }: { jobId: string; block: Block; filter: Filter; open: number | undefined }) {
  const { t } = useTranslation("results");
  const shown = block.sentences.filter((each) => stands(each, filter));
  if (shown.length === 0) return null;
  const texts = shown.map((sentence) => (
    <SentenceText
      key={sentence.key}
      jobId={jobId}
      sentence={sentence}
      open={open}
      isPicked={isIn(sentence, filter)}
      isFiltered={filter !== null}
    />
  ));
  if (block.kind === "paragraph") return <p className="mb-4 hyphens-auto">{texts}</p>;
  return (
    <div className="mb-4 border-l-2 border-paused pl-4">
      <p className="font-sans text-[0.85rem] font-medium text-paused">{t("document.differ")}</p>
      <ul className="space-y-1">
        {texts.map((each) => (
          <li key={each.key}>{each}</li>
        ))}
      </ul>
    </div>
  );
}
