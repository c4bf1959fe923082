import { useQuery } from "@tanstack/react-query";
import { CircleCheck, TriangleAlert } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, type Document } from "@/api/client";
import { cx } from "@/lib/cx";
import { ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { documentQuery, textQuery } from "../queries";
import { CitationLink } from "./citation-link";
import type { Citation } from "./report";
import { cutAtSpans, windowFor, type Piece, type TextWindow } from "./source-text";

type Span = { start: number; end: number; citation?: Citation; page?: number };

/** A document's text at the cited span: highlighted, in view, checked against the quote. */
export function Source({ jobId, citation, all }: { jobId: string; citation: Citation; all: Citation[] }) {
  const { t } = useTranslation("results");
  const document = useQuery(documentQuery(citation.document.id));
  const chars = document.data?.chars ?? 0;
  const wanted = windowFor(chars, citation.start, citation.end);
  const text = useQuery({ ...textQuery(citation.document.id, wanted), enabled: document.isSuccess });
  const error = document.error ?? text.error;
  if (error) {
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 409)) {
      return <ErrorNotice error={error} retry={() => void (document.isError ? document : text).refetch()} />;
    }
    return (
      <Notice kind="warning" title={t("source.gone")}>
        {t("source.gone_hint")}
      </Notice>
    );
  }
  if (!document.data || !text.data) return <Skeleton lines={9} />;
  return <Text jobId={jobId} citation={citation} all={all} document={document.data} window={text.data} />;
}

function Text({ jobId, citation, all, document, window: shown }: {
  jobId: string;
  citation: Citation;
  all: Citation[];
  document: Document;
  window: TextWindow;
}) {
  const { t } = useTranslation("results");
  const box = useRef<HTMLDivElement>(null);
  const mark = useRef<HTMLElement>(null);
  const pieces = useMemo(() => {
    const starts = document.page_starts;
    const pages = starts.map((start, index): Span => ({ start, end: starts[index + 1] ?? document.chars, page: index + 1 }));
    const cited = all
      .filter((each) => each.document.id === document.id)
      .map((each): Span => ({ start: each.start, end: each.end, citation: each }));
    return cutAtSpans<Span>(shown, [...cited, ...(pages.length > 1 ? pages : [])]);
  }, [shown, document, all]);
  const isOpen = (piece: Piece<Span>) => piece.inside.some((span) => span.citation === citation);
  const found = pieces.filter(isOpen).map((piece) => piece.text).join("");
  const first = pieces.findIndex(isOpen);

  useEffect(() => {
    const [outer, inner] = [box.current, mark.current];
    if (outer && inner) outer.scrollTop = inner.offsetTop - outer.clientHeight / 3;
  }, [citation, pieces]);

  const isCode = /csv|json|xml|x-(python|java|c|cobol|sh)/.test(document.media_type);
  let page = 0;
  return (
    <>
      <Check isSame={found === citation.quote} quote={citation.quote} />
      <div
        ref={box}
        tabIndex={0}
        role="region"
        aria-label={t("source.text", { name: citation.document.name })}
        className={cx(
          "relative min-h-0 flex-1 overflow-auto rounded-md border border-line bg-ground px-4 py-3 break-words whitespace-pre-wrap",
          isCode ? "font-mono text-[0.85rem] leading-relaxed" : "font-serif text-[1rem] leading-[1.65]",
        )}
      >
        {shown.from > 0 && <p className="mb-2 font-sans text-[0.8rem] text-soft">{t("source.before")}</p>}
        {pieces.map((piece, index) => {
          const now = piece.inside.find((span) => span.page)?.page ?? 0;
          const turned = now !== page && now > 0;
          page = now;
          const others = piece.inside.filter((span) => span.citation && span.citation !== citation);
          const startsHere = others.find((span) => !pieces[index - 1]?.inside.includes(span))?.citation;
          return (
            <span key={index}>
              {turned && <PageBorder page={now} />}
              {startsHere && <Other jobId={jobId} citation={startsHere} />}
              {isOpen(piece) ? (
                <mark ref={index === first ? mark : undefined} className="scroll-m-20 bg-paused-soft box-decoration-clone py-[0.2em] text-ink shadow-[inset_0_-2px_0_var(--paused)]">
                  {piece.text}
                </mark>
              ) : others.length > 0 ? (
                <span className="underline decoration-line-strong decoration-dotted underline-offset-4">{piece.text}</span>
              ) : (
                piece.text
              )}
            </span>
          );
        })}
        {!shown.isEnd && <p className="mt-2 font-sans text-[0.8rem] text-soft">{t("source.after")}</p>}
      </div>
    </>
  );
}

/** Whether the quote stands in the document now, at its place, letter for letter: looked up here, not believed. */
function Check({ isSame, quote }: { isSame: boolean; quote: string }) {
  const { t } = useTranslation("results");
  if (isSame) {
    return (
      <p className="flex items-center gap-1.5 text-[0.8rem] font-medium text-good">
        <CircleCheck aria-hidden size={14} />
        {t("source.same")}
      </p>
    );
  }
  return (
    <div role="alert" className="rounded-md bg-bad-soft p-2 text-sm text-bad">
      <p className="flex items-center gap-1.5 font-medium">
        <TriangleAlert aria-hidden size={14} />
        {t("source.other")}
      </p>
      <q className="font-serif">{quote}</q>
    </div>
  );
}

function PageBorder({ page }: { page: number }) {
  const { t } = useTranslation("results");
  return (
    <span className="my-3 flex items-center gap-3 font-sans text-[0.75rem] text-soft">
      <span aria-hidden className="h-px flex-1 bg-line" />
      {t("document.page", { page })}
      <span aria-hidden className="h-px flex-1 bg-line" />
    </span>
  );
}

/** Another place of the same document that the report cites. */
function Other({ jobId, citation }: { jobId: string; citation: Citation }) {
  return (
    <CitationLink
      jobId={jobId}
      citation={citation}
      className="mr-0.5 rounded bg-hover px-1 align-super font-sans text-[0.65em] font-semibold text-soft hover:bg-accent hover:text-accent-ink"
    />
  );
}
