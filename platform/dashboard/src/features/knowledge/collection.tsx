import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { useMay } from "@/session/session";
import { Page } from "@/ui/layout";
import { Tabs, type Tab } from "@/ui/tabs";
import { Documents } from "./documents";
import { collectionsQuery, useLiveDocuments } from "./queries";
import { TestQuery } from "./test-query";
import { Upload } from "./upload";

export default function CollectionPage() {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const { collection } = useParams({ from: "/frame/knowledge/$collection" });
  const { tab, q } = useSearch({ from: "/frame/knowledge/$collection" });
  const navigate = useNavigate({ from: "/knowledge/$collection" });
  const mayUpload = useMay("submit");
  const { data: all } = useQuery(collectionsQuery);
  useLiveDocuments();
  const known = all?.find((each) => each.name === collection);

  const tabs: Tab[] = [{ id: "documents", label: t("tab.documents"), count: known && format.number(known.documents), content: <Documents collection={collection} /> }];
  if (mayUpload) tabs.push({ id: "upload", label: t("tab.upload"), content: <Upload collection={collection} isNew={!!all && !known} /> });
  tabs.push({ id: "query", label: t("tab.query"), content: <TestQuery key={collection} collection={collection} query={q ?? ""} /> });
  const shown = tabs.some((each) => each.id === tab) ? tab! : q ? "query" : "documents";
  return (
    <Page
      title={collection}
      over={<Link to="/knowledge" className="underline-offset-2 hover:text-ink hover:underline">{t("title")}</Link>}
      beside={known && <span className="text-sm text-soft">{t("chunks", { count: known.chunks, shown: format.number(known.chunks) })}</span>}
    >
      <Tabs
        label={collection}
        tabs={tabs}
        value={shown}
        onChange={(id) => void navigate({ search: (before) => ({ ...before, tab: id === "documents" ? undefined : id, q: id === "query" ? before.q : undefined }), replace: true })}
      />
    </Page>
  );
}
