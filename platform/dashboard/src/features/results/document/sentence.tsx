import { Repeat2, Scissors, TriangleAlert } from "lucide-react";
import { Popover, Tooltip } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { CitationLink } from "./citation-link";
import { isCited, type Citation, type Sentence } from "./report";

const TIP = "z-50 rounded-lg border border-line bg-surface p-3 text-sm shadow-card";

/** A sentence of the report with the marks of what it stands on. */
export function SentenceText({
  jobId,
  sentence,
  open,
  isPicked,
  isFiltered,
}: {
  jobId: string;
  sentence: Sentence;
  /** The citation whose source is shown. */
  open: number | undefined;
  isPicked: boolean;
  isFiltered: boolean;
}) {
  const { t } = useTranslation("results");
  const isDropped = sentence.fate === "dropped";
  const isBare = !isDropped && !isCited(sentence);
  const isOpen = sentence.citations.some((each) => each.number === open);
  return (
    <span
      data-fate={sentence.fate}
      data-open={isOpen || undefined}
      data-picked={isPicked || undefined}
      className={cx(
        "rounded-[3px] box-decoration-clone py-[0.1em] has-[a:focus-visible]:bg-accent-soft has-[a:hover]:bg-accent-soft",
        isOpen && "bg-accent-soft",
        isFiltered && !isPicked && "text-soft",
        isFiltered && isPicked && !isOpen && "bg-paused-soft",
        isBare && "bg-bad-soft text-bad underline decoration-wavy underline-offset-4",
      )}
    >
      <Words sentence={sentence}>
        {sentence.citations.map((citation) => (
          <Mark key={citation.id} jobId={jobId} citation={citation} isOpen={citation.number === open} />
        ))}
        {(sentence.fate === "replaced" || isDropped) && <FateMark sentence={sentence} />}
        {isBare && (
          <span className="ml-1 inline-flex items-center gap-1 rounded bg-surface px-1 align-text-top font-sans text-[0.7rem] font-medium text-bad no-underline">
            <TriangleAlert aria-hidden size={11} />
            {t("document.unchecked")}
          </span>
        )}
      </Words>{" "}
    </span>
  );
}

/** A sentence whose marks never begin a line: they stay with its last word. */
function Words({ sentence, children }: { sentence: Sentence; children: ReactNode }) {
  const at = sentence.text.lastIndexOf(" ") + 1;
  const [begin, last] = [sentence.text.slice(0, at), sentence.text.slice(at)];
  if (sentence.fate === "dropped") {
    return (
      <>
        <del className="text-soft decoration-1">{begin}</del>
        <span className="whitespace-nowrap">
          <del className="text-soft decoration-1">{last}</del>
          {children}
        </span>
      </>
    );
  }
  return (
    <>
      {sentence.isQuote && "“"}
      {begin}
      <span className="whitespace-nowrap">
        {last}
        {sentence.isQuote && "”"}
        {children}
      </span>
    </>
  );
}

/** The number of a citation: points at its quote, opens its source. */
function Mark({ jobId, citation, isOpen }: { jobId: string; citation: Citation; isOpen: boolean }) {
  const { t } = useTranslation("results");
  return (
    <Tooltip.Root>
      <Tooltip.Trigger asChild>
        <CitationLink
          jobId={jobId}
          citation={citation}
          data-citation={citation.number}
          className={cx(
            "relative -top-[0.55em] ml-0.5 inline-block min-w-[1.5em] scroll-mt-28 scroll-mb-44 rounded px-[0.3em] text-center font-sans text-[0.66em] leading-[1.5] font-semibold no-underline print:bg-transparent",
            isOpen ? "bg-accent text-accent-ink" : "bg-accent-soft text-accent-text hover:bg-accent hover:text-accent-ink",
          )}
        />
      </Tooltip.Trigger>
      <Tooltip.Portal>
        <Tooltip.Content sideOffset={6} collisionPadding={12} className={cx(TIP, "max-w-sm")}>
          <q className="font-serif leading-relaxed">{citation.quote}</q>
          <span className="mt-1.5 block text-[0.8rem] text-soft">
            {citation.document.name} · {t("document.page", { page: citation.page })}
          </span>
        </Tooltip.Content>
      </Tooltip.Portal>
    </Tooltip.Root>
  );
}

/** Says that the model wrote something else, what, and why it does not stand. */
function FateMark({ sentence }: { sentence: Sentence }) {
  const { t } = useTranslation("results");
  const Icon = sentence.fate === "dropped" ? Scissors : Repeat2;
  return (
    <Popover.Root>
      <Popover.Trigger
        aria-label={t(`document.why_${sentence.fate}`)}
        className="relative -top-[0.35em] ml-0.5 rounded p-[0.15em] leading-none text-soft hover:bg-hover hover:text-ink print:hidden"
      >
        <Icon aria-hidden size={13} />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content aria-label={t(`document.why_${sentence.fate}`)} sideOffset={6} collisionPadding={12} className={cx(TIP, "w-80 max-w-[calc(100vw-2rem)]")}>
          <p className="font-medium">{t(`document.fate_${sentence.fate}`)}</p>
          {sentence.written && (
            <p className="mt-2">
              <span className="text-soft">{t("document.model_wrote")}</span>{" "}
              <span className="font-serif">{sentence.written}</span>
            </p>
          )}
          {sentence.reasons.length > 0 && (
            <ul className="mt-2 list-disc space-y-0.5 pl-4">
              {sentence.reasons.map((reason) => (
                <li key={reason}>{t(`reason.${reason}`, { defaultValue: reason })}</li>
              ))}
            </ul>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}
