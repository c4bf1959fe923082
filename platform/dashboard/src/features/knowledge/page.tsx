import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { BookOpen, FolderPlus } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Collection } from "@/api/client";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Button } from "@/ui/button";
import { Page } from "@/ui/layout";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";
import { Rows, type Column } from "@/ui/rows";
import { Ago } from "@/ui/time";
import { NewCollection } from "./new-collection";
import { collectionsQuery, useLiveDocuments } from "./queries";

export default function KnowledgePage() {
  const { t } = useTranslation("knowledge");
  const may = useMay("submit");
  const [making, setMaking] = useState(false);
  const { data, error, refetch } = useQuery(collectionsQuery);
  useLiveDocuments();
  const add = may && (
    <Button tone="primary" icon={FolderPlus} onClick={() => setMaking(true)}>
      {t("new.button")}
    </Button>
  );
  return (
    <Page title={t("title")} actions={data && data.length > 0 && add}>
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={5} />
      ) : data.length === 0 ? (
        <Empty icon={BookOpen} title={t("empty.title")} actions={add}>
          {t("empty.what")} <code className="font-mono text-[0.9em]">mutirao demo</code>
        </Empty>
      ) : (
        <Collections collections={data} />
      )}
      <NewCollection open={making} onOpenChange={setMaking} existing={data?.map((each) => each.name) ?? []} />
    </Page>
  );
}

function Collections({ collections }: { collections: Collection[] }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const columns: Column<Collection>[] = [
    {
      id: "name",
      head: t("column.collection"),
      title: true,
      className: "w-full",
      cell: (each) => (
        <Link to="/knowledge/$collection" params={{ collection: each.name }} className="font-medium break-all text-accent-text underline-offset-2 hover:underline">
          {each.name}
        </Link>
      ),
    },
    { id: "documents", head: t("column.documents"), numeric: true, cell: (each) => format.number(each.documents) },
    { id: "chunks", head: t("column.chunks"), numeric: true, cell: (each) => format.number(each.chunks) },
    { id: "created", head: t("column.created"), className: "whitespace-nowrap text-soft", cell: (each) => <Ago at={each.created_at} /> },
  ];
  return <Rows label={t("collections")} columns={columns} rows={collections} rowKey={(each) => each.id} />;
}
