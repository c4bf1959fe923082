import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { FileText, Upload } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Document } from "@/api/client";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Ago } from "@/ui/time";
import { DocumentState } from "./document-state";
import { kindOf, languageOf } from "./media";
import { documentsQuery } from "./queries";

/** The documents of a collection; what a newer version has taken the place of is left out unless it is wanted. */
export function Documents({ collection }: { collection: string }) {
  const { t } = useTranslation("knowledge");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(documentsQuery(collection));
  const [older, setOlder] = useState(false);
  const may = useMay("submit");
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={6} />;
  const all = data.pages.flat();
  const superseded = all.filter((each) => each.state === "superseded").length;
  const shown = older ? all : all.filter((each) => each.state !== "superseded");
  if (all.length === 0) {
    return (
      <Empty
        icon={FileText}
        title={t("documents.empty")}
        actions={
          may && (
            <Link to="/knowledge/$collection" params={{ collection }} search={{ tab: "upload" }} className={buttonClass("primary")}>
              <Upload aria-hidden size={16} />
              {t("tab.upload")}
            </Link>
          )
        }
      >
        {t("documents.empty_what")}
      </Empty>
    );
  }
  return (
    <>
      {superseded > 0 && (
        <label className="mb-3 flex items-center gap-2 text-sm">
          <input type="checkbox" className="accent-accent" checked={older} onChange={(event) => setOlder(event.target.checked)} />
          {t("documents.older", { count: superseded })}
        </label>
      )}
      <Table documents={shown} />
      {hasNextPage && (
        <Button className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </>
  );
}

function Table({ documents }: { documents: Document[] }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const columns: Column<Document>[] = [
    { id: "name", head: t("column.name"), title: true, className: "w-full", cell: (each) => <Name document={each} /> },
    { id: "state", head: t("column.state"), cell: (each) => <DocumentState document={each} /> },
    { id: "type", head: t("column.type"), className: "whitespace-nowrap", cell: (each) => kindOf(each.media_type) },
    {
      id: "pages",
      minor: true,
      head: t("column.pages"),
      numeric: true,
      cell: (each) => (each.page_starts.length > 0 ? format.number(each.page_starts.length) : "–"),
    },
    { id: "size", head: t("column.size"), numeric: true, cell: (each) => format.bytes(each.size) },
    { id: "language", minor: true, head: t("column.language"), cell: (each) => languageOf(each.language, format.locale) },
    { id: "version", minor: true, head: t("column.version"), numeric: true, cell: (each) => format.number(each.version) },
    { id: "added", minor: true, head: t("column.added"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.created_at} /> },
  ];
  return (
    <Rows
      label={t("tab.documents")}
      columns={columns}
      rows={documents}
      rowKey={(each) => each.id}
      rowProps={(each) => ({ "data-document": each.id, "data-state": each.state })}
    />
  );
}

function Name({ document }: { document: Document }) {
  return (
    <>
      <Link to="/documents/$documentId" params={{ documentId: document.id }} className="font-medium break-all text-accent-text underline-offset-2 hover:underline">
        {document.name}
      </Link>
      {document.error && <p className="mt-0.5 max-w-prose text-[0.8rem] break-words text-bad">{document.error.message}</p>}
    </>
  );
}
