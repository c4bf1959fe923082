import { infiniteQueryOptions, useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Rows3 } from "lucide-react";
import { useTranslation } from "react-i18next";
import { api, got, type Document } from "@/api/client";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Empty, ErrorNotice, Skeleton } from "@/ui/notices";

const LIMIT = 100;

const chunksQuery = (document: Document) =>
  infiniteQueryOptions({
    queryKey: ["documents", "chunks", document.id, document.ready_at],
    staleTime: Infinity,
    initialPageParam: 0,
    queryFn: async ({ pageParam }) => {
      const params = { path: { document_id: document.id }, query: { limit: LIMIT, offset: pageParam } };
      return got(api.GET("/api/v1/documents/{document_id}/chunks", { params }));
    },
    getNextPageParam: (last, all) => (last.length === LIMIT ? all.length * LIMIT : undefined),
  });

/** What of a document is found as one: each links to where it stands in the text. */
export function Chunks({ document }: { document: Document }) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(chunksQuery(document));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={8} />;
  const chunks = data.pages.flat();
  if (chunks.length === 0) return <Empty icon={Rows3} title={t("chunk.none")}>{t("chunk.none_what")}</Empty>;
  return (
    <>
      <ol className="space-y-2">
        {chunks.map((chunk) => (
          <li key={chunk.ordinal} className="rounded-lg border border-line bg-surface p-3 text-sm [contain-intrinsic-size:auto_9rem] [content-visibility:auto]">
            <div className="mb-1 flex flex-wrap gap-x-3 text-[0.8rem] text-soft">
              <span className="font-semibold">{t("chunk.number", { number: format.number(chunk.ordinal + 1) })}</span>
              <span>{t("page", { page: format.number(chunk.page) })}</span>
              <span>{t("chunk.length", { count: chunk.end - chunk.start, shown: format.number(chunk.end - chunk.start) })}</span>
              {chunk.heading && <span className="min-w-0 break-words">{chunk.heading}</span>}
              <Link
                to="/documents/$documentId"
                params={{ documentId: document.id }}
                search={{ start: chunk.start, end: chunk.end }}
                className="ml-auto underline underline-offset-2 hover:text-ink"
              >
                {t("chunk.show")}
              </Link>
            </div>
            <p className="max-w-[90ch] leading-relaxed break-words whitespace-pre-line">{chunk.text}</p>
          </li>
        ))}
      </ol>
      {hasNextPage && (
        <Button className="mt-3" busy={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          {t("more")}
        </Button>
      )}
    </>
  );
}
