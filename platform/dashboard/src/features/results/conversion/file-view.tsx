import { Link } from "@tanstack/react-router";
import { ChevronLeft, ChevronRight, Download } from "lucide-react";
import { useCallback, useRef, type RefObject } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { usePlace } from "@/features/job/place";
import { useFormat } from "@/lib/format";
import { useShortcuts } from "@/shell/shortcuts";
import { buttonClass } from "@/ui/button";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import type { MergeHandle } from "../code/merge-view";
import { partsOf } from "../files/kinds";
import { artifactUrl } from "../queries";
import { statusOf, type Conversion, type ConvertedFile } from "./conversion";
import { usePair, type Pair } from "./data";
import { rulesOf } from "./equivalence";
import { Findings } from "./findings";
import { StatusBadge, VerdictBadge } from "./looks";
import { Panes } from "./panes";

interface Props {
  jobId: string;
  artifacts: Artifact[];
  conversion: Conversion;
  file: ConvertedFile;
  /** Paths of the files before and after this one. */
  before: string | undefined;
  after: string | undefined;
}

/** One file: what became of it, what to look at, and its content beside what it was. */
export function FileView({ jobId, artifacts, conversion, file, before, after }: Props) {
  const { t } = useTranslation("results");
  const { t: common } = useTranslation();
  const { go } = usePlace();
  const merge = useRef<MergeHandle>(null);
  const goTo = useCallback((line: number) => merge.current?.goTo(line), []);
  const open = (path: string | undefined) => path !== undefined && go({ view: "code", file: path }, true);
  useShortcuts(t("view.code"), [
    { keys: "[", label: t("conversion.file_before"), run: () => open(before) },
    { keys: "]", label: t("conversion.file_after"), run: () => open(after) },
    { keys: "n", label: t("panes.next"), run: () => merge.current?.next() },
    { keys: "p", label: t("panes.previous"), run: () => merge.current?.previous() },
  ]);
  const source = usePair(artifacts, file);
  const [folder, base] = partsOf(file.path);
  const artifact = artifacts.find((each) => each.name === `converted/${file.path}`);
  return (
    <section aria-label={file.path} className="min-w-0">
      <div className="mb-3 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1">
          <h2 className="font-mono break-all">
            <span className="font-normal text-soft">{folder}</span>
            {base}
          </h2>
          <span className="flex gap-1.5">
            <StatusBadge status={statusOf(file)} />
            {file.verdict && <VerdictBadge verdict={file.verdict} />}
          </span>
        </div>
        <div className="flex flex-wrap gap-2">
          <Other jobId={jobId} path={before} label={t("conversion.file_before")} icon={ChevronLeft} />
          <Other jobId={jobId} path={after} label={t("conversion.file_after")} icon={ChevronRight} />
          {artifact && (
            <a href={artifactUrl(jobId, artifact.name)} download className={buttonClass("plain", true)}>
              <Download aria-hidden size={14} />
              {common("action.download")}
            </a>
          )}
        </div>
        <FileFacts file={file} pair={source.pair} />
      </div>
      <Findings file={file} explained={conversion.explained} goTo={goTo} />
      <Content file={file} source={source} merge={merge} />
    </section>
  );
}

function Content({ file, source, merge }: { file: ConvertedFile; source: ReturnType<typeof usePair>; merge: RefObject<MergeHandle | null> }) {
  const { t } = useTranslation("results");
  if (file.isBinary) return <Empty title={t("conversion.binary")}>{t("conversion.binary_hint")}</Empty>;
  if (file.after.size === 0 && file.before.size === 0) return <Empty title={t("files.empty")} />;
  if (!source.isHere) return <Empty title={t("conversion.not_here")}>{t("conversion.not_here_hint")}</Empty>;
  if (source.error) return <ErrorNotice error={source.error} retry={source.retry} />;
  if (!source.pair) return <Skeleton lines={14} />;
  return (
    <>
      {source.pair.isOriginal === false && (
        <Notice kind="warning" title={t("conversion.other_original")} className="mb-3">
          {t("conversion.other_original_hint")}
        </Notice>
      )}
      <Panes file={file} pair={source.pair} merge={merge} />
    </>
  );
}

function FileFacts({ file, pair }: { file: ConvertedFile; pair: Pair | undefined }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const rules = rulesOf(file);
  const facts = [
    file.grammar && t(`grammar.${file.grammar}`, { defaultValue: file.grammar }),
    file.encoding,
    file.lines !== null && t("conversion.lines", { count: file.lines, number: format.number(file.lines) }),
    format.bytes(file.after.size),
    rules && t("conversion.by_rules", { rules }),
  ].filter((each) => typeof each === "string" && each !== "");
  return (
    <p className="-mt-1 basis-full text-[0.85rem] text-soft">
      {pair && pair.added + pair.removed > 0 && (
        <>
          <span className="font-medium text-good">+{format.number(pair.added)}</span>{" "}
          <span className="font-medium text-bad">−{format.number(pair.removed)}</span>
          {" · "}
        </>
      )}
      {facts.join(" · ")}
    </p>
  );
}

function Other({ jobId, path, label, icon: Icon }: { jobId: string; path: string | undefined; label: string; icon: typeof ChevronLeft }) {
  const content = (
    <>
      <Icon aria-hidden size={14} />
      {label}
    </>
  );
  if (path === undefined) {
    return (
      <button type="button" disabled className={buttonClass("plain", true)}>
        {content}
      </button>
    );
  }
  return (
    <Link
      to="/jobs/$jobId"
      params={{ jobId }}
      search={(old) => ({ ...old, view: "code", file: path })}
      replace
      resetScroll={false}
      preload={false}
      title={path}
      className={buttonClass("plain", true)}
    >
      {content}
    </Link>
  );
}
