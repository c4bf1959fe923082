import { useQuery } from "@tanstack/react-query";
import { Download, ExternalLink } from "lucide-react";
import { Suspense, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { useFormat } from "@/lib/format";
import { lazyComponent } from "@/lib/lazy-component";
import { buttonClass } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Ago } from "@/ui/time";
import { Choice } from "../choice";
import { Zip } from "../conversion/zip";
import { artifactUrl, contentQuery } from "../queries";
import { Value } from "../value";
import { isText, kindOf, partsOf, typeOf, type Kind } from "./kinds";

const MarkdownView = lazyComponent(() => import("./markdown"));
const CodeView = lazyComponent(() => import("../code/code-view"));

/** What is read of a file to show it. */
const MOST = 2_000_000;
/** Longer ones are shown as the text that they are. */
const MOST_LAID_OUT = 400_000;
const MOST_UNPACKED = 50_000_000;

/** One file of a job: what it is, and what is in it as far as that can be shown. */
export function Preview({ artifact }: { artifact: Artifact }) {
  const { t } = useTranslation("results");
  const { t: common } = useTranslation();
  const format = useFormat();
  const kind = kindOf(artifact);
  const url = artifactUrl(artifact.job_id, artifact.name);
  const [folder, base] = partsOf(artifact.name);
  return (
    <section aria-label={artifact.name} className="min-w-0">
      <div className="mb-3 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0">
          <h2 className="break-all">
            <span className="font-normal text-soft">{folder}</span>
            {base}
          </h2>
          <p className="text-[0.85rem] text-soft">
            {typeOf(artifact.media_type)} · {format.bytes(artifact.size)} · <Ago at={artifact.created_at} />
          </p>
        </div>
        <div className="flex flex-wrap gap-2">
          {(kind === "pdf" || kind === "image") && (
            <a href={`${url}?inline=true`} target="_blank" rel="noreferrer" className={buttonClass("plain", true)}>
              <ExternalLink aria-hidden size={14} />
              {t("files.open")}
            </a>
          )}
          <a href={url} download className={buttonClass("plain", true)}>
            <Download aria-hidden size={14} />
            {common("action.download")}
          </a>
        </div>
      </div>
      <Content artifact={artifact} kind={kind} url={url} />
    </section>
  );
}

function Content({ artifact, kind, url }: { artifact: Artifact; kind: Kind; url: string }) {
  const { t } = useTranslation("results");
  if (kind === "image") return <Picture url={`${url}?inline=true`} name={artifact.name} />;
  if (kind === "archive" && artifact.size <= MOST_UNPACKED) return <Archive artifact={artifact} />;
  if (kind === "pdf" || kind === "none" || kind === "archive") {
    return <Empty title={t("files.no_preview")}>{t(kind === "pdf" ? "files.no_preview_pdf" : "files.no_preview_hint")}</Empty>;
  }
  return <Text artifact={artifact} kind={kind} />;
}

function Picture({ url, name }: { url: string; name: string }) {
  const { t } = useTranslation("results");
  const [failed, setFailed] = useState(false);
  if (failed) return <Empty title={t("files.no_preview")}>{t("files.no_preview_hint")}</Empty>;
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-sunken p-4">
      <img src={url} alt={name} onError={() => setFailed(true)} className="mx-auto max-h-[75dvh] max-w-full object-contain" />
    </div>
  );
}

function Text({ artifact, kind }: { artifact: Artifact; kind: Kind }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const { data, error, refetch } = useQuery(contentQuery(artifact, MOST));
  const [isSource, setSource] = useState(false);
  const text = useMemo(() => (data && (kind !== "maybe" || isText(data.bytes)) ? new TextDecoder().decode(data.bytes) : null), [data, kind]);
  const value = useMemo(() => (kind === "json" && text !== null && data?.isWhole ? parsed(text) : undefined), [kind, text, data]);
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={10} />;
  if (text === null) return <Empty title={t("files.no_preview")}>{t("files.no_preview_hint")}</Empty>;
  if (text === "") return <Empty title={t("files.empty")} />;
  const isLaidOut = (kind === "markdown" && text.length <= MOST_LAID_OUT) || value !== undefined;
  return (
    <>
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
        {isLaidOut ? (
          <Choice
            label={t("files.shown_as")}
            value={isSource ? "source" : "laid_out"}
            options={[["laid_out", t("files.laid_out")], ["source", t("files.source")]]}
            onChange={(chosen) => setSource(chosen === "source")}
          />
        ) : (
          <span className="text-[0.85rem] text-soft">{!data.isWhole && t("files.cut", { size: format.bytes(MOST) })}</span>
        )}
        <CopyButton text={text} />
      </div>
      <Suspense fallback={<Skeleton lines={10} />}>
        {isLaidOut && !isSource ? (
          <div className="rounded-lg border border-line bg-surface px-4 py-5 sm:px-8 sm:py-7">
            {value !== undefined ? <Value value={value.value} /> : <MarkdownView text={text} />}
          </div>
        ) : (
          <CodeView text={text} name={artifact.name} label={artifact.name} />
        )}
      </Suspense>
    </>
  );
}

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/** What is in an archive. */
function Archive({ artifact }: { artifact: Artifact }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  const { data, error, refetch } = useQuery(contentQuery(artifact));
  const rows = useMemo(() => (data ? entriesOf(data.bytes) : null), [data]);
  if (error) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={6} />;
  if (!rows) return <Empty title={t("files.no_preview")}>{t("files.no_preview_hint")}</Empty>;
  return (
    <>
      <p className="mb-2 text-sm text-soft">{t("files.in_archive", { count: rows.length })}</p>
      <div tabIndex={0} role="region" aria-label={t("files.in_archive", { count: rows.length })} className="max-h-[70dvh] overflow-auto rounded-lg border border-line bg-surface">
        <ul className="divide-y divide-line text-sm">
          {rows.map(([name, size]) => (
            <li key={name} className="flex justify-between gap-4 px-3 py-1.5 [content-visibility:auto] [contain-intrinsic-size:auto_2rem]">
              <span className="font-mono text-[0.85rem] break-all">{name}</span>
              <span className="shrink-0 text-soft">{format.bytes(size)}</span>
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}

function entriesOf(bytes: Uint8Array<ArrayBuffer>): [string, number][] | null {
  try {
    return new Zip(bytes).list().filter(([name]) => !name.endsWith("/"));
  } catch {
    return null;
  }
}
