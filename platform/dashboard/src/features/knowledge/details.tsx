import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ROOT, type Document } from "@/api/client";
import { useFormat } from "@/lib/format";
import { CopyButton } from "@/ui/copy";
import { Card, Facts, Section } from "@/ui/layout";
import { Ago, Moment } from "@/ui/time";
import { DocumentState } from "./document-state";
import { kindOf, languageOf } from "./media";
import { documentsQuery } from "./queries";

/** What is known of a file, and its other versions. */
export function Details({ document }: { document: Document }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const facts: [ReactNode, ReactNode][] = [
    [t("column.type"), `${kindOf(document.media_type)} · ${document.media_type}`],
    [t("column.size"), format.bytes(document.size)],
    [t("details.characters"), format.number(document.chars)],
    [t("column.pages"), format.number(document.page_starts.length)],
    [t("column.language"), languageOf(document.language, format.locale)],
    [t("column.version"), format.number(document.version)],
    [t("column.added"), <Moment key="added" at={document.created_at} />],
    [t("details.ready"), <Moment key="ready" at={document.ready_at} />],
    [t("details.sha256"), <Copyable key="sha" text={document.sha256} />],
    [t("details.id"), <Copyable key="id" text={document.id} />],
  ];
  if (document.job_id) {
    facts.push([
      t("details.job"),
      <Link key="job" to="/jobs/$jobId" params={{ jobId: document.job_id }} className="font-mono text-[0.85em] text-accent-text underline-offset-2 hover:underline">
        {document.job_id}
      </Link>,
    ]);
  }
  if (document.text_sha256) {
    facts.push([
      t("details.text"),
      <a key="text" href={`${ROOT}/api/v1/documents/${document.id}/text`} download className="text-accent-text underline-offset-2 hover:underline">
        {t("details.download_text")}
      </a>,
    ]);
  }
  return (
    <>
      <Card className="mb-6">
        <Facts facts={facts} />
      </Card>
      <Versions document={document} />
    </>
  );
}

function Copyable({ text }: { text: string }) {
  return (
    <span className="inline-flex max-w-full flex-wrap items-center gap-1">
      <span className="font-mono text-[0.85em] break-all">{text}</span>
      <CopyButton text={text} />
    </span>
  );
}

function Versions({ document }: { document: Document }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const { data } = useInfiniteQuery(documentsQuery(document.collection));
  const versions = data?.pages.flat().filter((each) => each.name === document.name) ?? [];
  if (versions.length < 2) return null;
  return (
    <Section title={t("details.versions")}>
      <ul className="divide-y divide-line rounded-lg border border-line bg-surface text-sm">
        {versions.map((each) => (
          <li key={each.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-3 py-2">
            {each.id === document.id ? (
              <span className="font-medium">{t("details.this", { version: format.number(each.version) })}</span>
            ) : (
              <Link to="/documents/$documentId" params={{ documentId: each.id }} className="text-accent-text underline-offset-2 hover:underline">
                {t("upload.version", { version: format.number(each.version) })}
              </Link>
            )}
            <DocumentState document={each} />
            <Ago at={each.created_at} className="text-soft" />
          </li>
        ))}
      </ul>
    </Section>
  );
}
