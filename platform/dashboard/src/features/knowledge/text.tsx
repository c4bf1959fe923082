import { useQuery } from "@tanstack/react-query";
import { FileText } from "lucide-react";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import type { Document } from "@/api/client";
import { CountedText } from "@/lib/spans";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { isSource } from "./media";
import { textQuery } from "./queries";
import { Reader } from "./reader";

/** A document's text, with a span of it marked and in view. */
export function DocumentText({ document, start, end }: { document: Document; start?: number | undefined; end?: number | undefined }) {
  const { t } = useTranslation("knowledge");
  const has = !!document.text_sha256;
  const { data, error, refetch } = useQuery({ ...textQuery(document), enabled: has });
  const counted = useMemo(() => (data === undefined ? null : new CountedText(data)), [data]);
  const span = useMemo(() => (start === undefined ? null : { start, end: end ?? start }), [start, end]);
  if (!has) {
    return (
      <Empty icon={FileText} title={t(document.state === "failed" ? "text.failed" : "text.soon")}>
        {t(document.state === "failed" ? "text.failed_what" : "text.soon_what")}
      </Empty>
    );
  }
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!counted) return <Skeleton lines={12} />;
  const isOutside = span !== null && span.start >= counted.length;
  return (
    <>
      {isOutside && (
        <Notice kind="warning" title={t("text.outside")} className="mb-3">
          {t("text.outside_what")}
        </Notice>
      )}
      <Reader counted={counted} pageStarts={document.page_starts} span={isOutside ? null : span} numbered={isSource(document.media_type)} label={document.name} />
    </>
  );
}
