import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, ROOT, type Document } from "@/api/client";
import { useMay } from "@/session/session";
import { buttonClass } from "@/ui/button";
import { DeleteButton } from "@/ui/delete";
import { Page } from "@/ui/layout";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { Tabs } from "@/ui/tabs";
import { toast } from "@/ui/toast";
import { Chunks } from "./chunks";
import { Details } from "./details";
import { DocumentState } from "./document-state";
import { documentQuery, useLiveDocuments } from "./queries";
import { DocumentText } from "./text";

export default function DocumentPage() {
  const { t } = useTranslation("knowledge");
  const { documentId } = useParams({ from: "/frame/documents/$documentId" });
  const { data, error, refetch } = useQuery(documentQuery(documentId));
  useLiveDocuments();
  if (error && !data) {
    return (
      <Page title={t("document")}>
        <ErrorNotice error={error} retry={() => void refetch()} />
      </Page>
    );
  }
  if (!data) {
    return (
      <Page title={t("document")}>
        <Skeleton lines={8} />
      </Page>
    );
  }
  return <Shown document={data} />;
}

function Shown({ document }: { document: Document }) {
  const { t } = useTranslation("knowledge");
  const { tab, start, end } = useSearch({ from: "/frame/documents/$documentId" });
  const navigate = useNavigate({ from: "/documents/$documentId" });
  const place = { to: "/knowledge/$collection", params: { collection: document.collection } } as const;
  return (
    <Page
      title={document.name}
      over={
        <>
          <Link to="/knowledge" className="underline-offset-2 hover:text-ink hover:underline">{t("title")}</Link>
          {" / "}
          <Link {...place} className="underline-offset-2 hover:text-ink hover:underline">{document.collection}</Link>
        </>
      }
      beside={<DocumentState document={document} />}
      actions={
        <>
          <a href={`${ROOT}/api/v1/documents/${document.id}/content`} download className={buttonClass()}>
            <Download aria-hidden size={16} />
            {t("download")}
          </a>
          <Delete document={document} onDeleted={() => void navigate({ ...place, search: {} })} />
        </>
      }
    >
      {document.error && (
        <Notice kind="error" title={document.error.message} className="mb-4">
          <span className="font-mono text-[0.8rem]">
            {document.error.code}
            {document.error.step && ` · ${t("in_step", { step: document.error.step })}`}
          </span>
        </Notice>
      )}
      <Tabs
        label={document.name}
        value={tab === "chunks" || tab === "details" ? tab : "text"}
        onChange={(id) => void navigate({ search: (before) => ({ ...before, tab: id === "text" ? undefined : id }), replace: true })}
        tabs={[
          { id: "text", label: t("tab.text"), content: <DocumentText document={document} start={start} end={end} /> },
          { id: "chunks", label: t("tab.chunks"), content: <Chunks document={document} /> },
          { id: "details", label: t("tab.details"), content: <Details document={document} /> },
        ]}
      />
    </Page>
  );
}

function Delete({ document, onDeleted }: { document: Document; onDeleted(): void }) {
  const { t } = useTranslation("knowledge");
  const client = useQueryClient();
  const may = useMay("submit");
  const remove = useMutation({
    mutationFn: () => api.DELETE("/api/v1/documents/{document_id}", { params: { path: { document_id: document.id } } }),
    onSuccess: () => {
      toast(t("delete.done", { name: document.name }));
      onDeleted();
      client.removeQueries({ queryKey: documentQuery(document.id).queryKey });
      void client.invalidateQueries({ queryKey: ["documents"] });
    },
  });
  if (!may) return null;
  return (
    <DeleteButton verb={t("delete.button")} title={t("delete.title", { name: document.name })} remove={remove}>
      {t("delete.what")}
    </DeleteButton>
  );
}
