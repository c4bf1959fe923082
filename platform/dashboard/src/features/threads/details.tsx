import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { CopyButton } from "@/ui/copy";
import { Json } from "@/ui/json";
import { Card, Facts, Section } from "@/ui/layout";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Moment } from "@/ui/time";
import { storageQuery, type Thread } from "./queries";

const PARTS = ["checkpoints", "writes", "blobs", "events"] as const;

/** When a thread lives, what it takes, and what its owner has written on it. */
export function ThreadDetails({ thread }: { thread: Thread }) {
  const { t } = useTranslation("threads");
  const facts: [ReactNode, ReactNode][] = [
    [
      t("details.id"),
      <span key="id" className="inline-flex max-w-full flex-wrap items-center gap-1">
        <span className="font-mono text-[0.85em] break-all">{thread.id}</span>
        <CopyButton text={thread.id} />
      </span>,
    ],
    [t("column.created"), <Moment key="created" at={thread.created_at} />],
    [t("column.updated"), <Moment key="updated" at={thread.state_updated_at} />],
    [t("details.expires"), thread.expires_at ? <Moment key="expires" at={thread.expires_at} /> : t("details.never")],
    [t("details.next"), thread.next.join(", ") || "–"],
  ];
  return (
    <>
      <Card className="mb-6">
        <Facts facts={facts} />
      </Card>
      <StorageUse id={thread.id} />
      {Object.keys(thread.metadata).length > 0 && <Json value={thread.metadata} label={t("details.metadata")} />}
    </>
  );
}

function StorageUse({ id }: { id: string }) {
  const { t } = useTranslation("threads");
  const format = useFormat();
  const { data, error, refetch } = useQuery(storageQuery(id));
  return (
    <Section title={t("storage.title")}>
      {error && !data ? (
        <ErrorNotice error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Skeleton lines={2} />
      ) : (
        <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line text-sm sm:grid-cols-5">
          <div className="bg-surface p-3">
            <dt className="text-soft">{t("storage.total")}</dt>
            <dd className="font-semibold">{format.bytes(data.bytes)}</dd>
          </div>
          {PARTS.map((part) => (
            <div key={part} className="bg-surface p-3">
              <dt className="text-soft">{t(`storage.${part}`)}</dt>
              <dd>
                {format.bytes(data[part].bytes)} <span className="text-soft">× {format.number(data[part].count)}</span>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Section>
  );
}
