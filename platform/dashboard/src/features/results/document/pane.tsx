import { Link } from "@tanstack/react-router";
import { ChevronLeft, ChevronRight, ExternalLink, X } from "lucide-react";
import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button, buttonClass } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import type { Citation, Sentence } from "./report";
import { Source } from "./source";

interface Props {
  jobId: string;
  citation: Citation;
  citations: Citation[];
  /** The sentence that cites it. */
  sentence: Sentence | undefined;
  go(citation: number | undefined): void;
}

/** The source of a citation, beside the text. */
export function Pane(props: Props) {
  const { t } = useTranslation("results");
  return (
    <aside
      aria-label={t("source.pane")}
      className="sticky top-4 flex h-[calc(100dvh-11rem)] min-h-96 min-w-0 flex-col gap-3 rounded-lg border border-line bg-surface p-4 print:hidden"
    >
      <Content {...props} title={(text) => <h3 aria-live="polite">{text}</h3>} />
    </aside>
  );
}

/** The same over the text, where there is no room beside it. */
export function Sheet(props: Props) {
  return (
    <Dialog.Root open onOpenChange={(open) => !open && props.go(undefined)}>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/45 print:hidden" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-x-0 bottom-0 z-50 flex h-[82dvh] flex-col gap-3 rounded-t-xl border-t border-line bg-surface p-4 pb-[max(1rem,env(safe-area-inset-bottom))] shadow-card print:hidden"
        >
          <Content {...props} title={(text) => <Dialog.Title className="text-sm font-semibold">{text}</Dialog.Title>} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

function Content({ jobId, citation, citations, sentence, go, title }: Props & { title(text: string): ReactNode }) {
  const { t } = useTranslation("results");
  const { t: common } = useTranslation();
  const format = useFormat();
  const { number, document } = citation;
  return (
    <>
      <div className="flex items-center justify-between gap-2">
        {title(t("source.title", { number, count: citations.length }))}
        <div className="flex items-center gap-1">
          <Button small icon={ChevronLeft} disabled={number <= 1} onClick={() => go(number - 1)} aria-keyshortcuts="[">
            <span className="max-sm:sr-only">{t("source.previous")}</span>
          </Button>
          <Button small icon={ChevronRight} disabled={number >= citations.length} onClick={() => go(number + 1)} aria-keyshortcuts="]">
            <span className="max-sm:sr-only">{t("source.next")}</span>
          </Button>
          <Button small tone="quiet" icon={X} onClick={() => go(undefined)} aria-keyshortcuts="Escape">
            <span className="max-sm:sr-only">{common("action.close")}</span>
          </Button>
        </div>
      </div>
      {sentence && (
        <p className="line-clamp-4 border-l-2 border-accent pl-3 font-serif leading-snug">{sentence.text}</p>
      )}
      <div className="flex flex-wrap items-end justify-between gap-x-3 gap-y-1 text-sm">
        <div className="min-w-0">
          <div className="font-medium break-words">{document.name}</div>
          <div className="text-[0.8rem] text-soft">
            {t("document.version", { version: document.version })} · {t("document.page", { page: citation.page })} ·{" "}
            {t("document.characters", { from: format.number(citation.start), to: format.number(citation.end) })}
          </div>
        </div>
        <div className="flex flex-wrap gap-1">
          <Link
            to="/documents/$documentId"
            params={{ documentId: document.id }}
            search={{ start: citation.start, end: citation.end }}
            preload={false}
            className={buttonClass("plain", true)}
          >
            <ExternalLink aria-hidden size={14} />
            {t("source.open")}
          </Link>
          <CopyButton text={() => window.location.href} label={t("source.link")} />
        </div>
      </div>
      <Source jobId={jobId} citation={citation} all={citations} />
      <p className="text-[0.8rem] text-soft max-lg:hidden">{t("source.keys")}</p>
    </>
  );
}
