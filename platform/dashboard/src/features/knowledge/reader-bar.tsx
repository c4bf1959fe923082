import { ChevronDown, ChevronUp, Quote } from "lucide-react";
import { useDeferredValue, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import type { Span } from "@/lib/spans";
import { Button } from "@/ui/button";
import { fieldClass } from "@/ui/field";

interface Props {
  text: string;
  page: number;
  pages: number;
  onPage(page: number): void;
  /** A place that was looked for, in units; null when nothing is looked for. */
  onFound(span: Span | null): void;
  /** Back to what was cited. */
  onCited?: (() => void) | undefined;
}

const MOST = 2_000;

/** Every place of a word in a text, whatever its case; the first so many. */
function placesOf(text: string, word: string): Span[] {
  if (word.trim().length < 2) return [];
  const escaped = word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const places: Span[] = [];
  for (const found of text.matchAll(new RegExp(escaped, "giu"))) {
    places.push({ start: found.index, end: found.index + found[0].length });
    if (places.length === MOST) break;
  }
  return places;
}

/** Where one is in a text, and what one looks for: only what is in view is drawn, so that the browser's search does not find it. */
export function ReaderBar({ text, page, pages, onPage, onFound, onCited }: Props) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const [word, setWord] = useState("");
  const wanted = useDeferredValue(word);
  const places = useMemo(() => placesOf(text, wanted), [text, wanted]);
  const [index, setIndex] = useState(-1);
  const go = (to: number) => {
    if (places.length === 0) return;
    const next = (to + places.length) % places.length;
    setIndex(next);
    onFound(places[next]!);
  };
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-3 py-2 text-sm">
      {pages > 1 && (
        <label className="flex items-center gap-2 text-soft">
          {t("reader.page")}
          <select aria-label={t("reader.page")} value={page} onChange={(event) => onPage(Number(event.target.value))} className={`${fieldClass} w-auto! py-0.5`}>
            {Array.from({ length: pages }, (_, each) => (
              <option key={each} value={each + 1}>
                {format.number(each + 1)}
              </option>
            ))}
          </select>
          {t("reader.of", { pages: format.number(pages) })}
        </label>
      )}
      {onCited && (
        <Button small icon={Quote} onClick={onCited}>
          {t("reader.cited")}
        </Button>
      )}
      <form
        role="search"
        className="ml-auto flex flex-wrap items-center gap-2"
        onSubmit={(event) => {
          event.preventDefault();
          go(index + 1);
        }}
      >
        <span role="status" className="text-[0.8rem] text-soft">
          {wanted.trim().length >= 2 && t("reader.found", { count: places.length, at: format.number(Math.max(0, index + 1)), shown: format.number(places.length) })}
        </span>
        <input
          type="search"
          aria-label={t("reader.find")}
          placeholder={t("reader.find")}
          value={word}
          onChange={(event) => {
            setWord(event.target.value);
            setIndex(-1);
            onFound(null);
          }}
          className={`${fieldClass} w-44! py-1`}
        />
        <Button small icon={ChevronUp} disabled={places.length === 0} onClick={() => go(index < 0 ? -1 : index - 1)}>
          {t("reader.before")}
        </Button>
        <Button small icon={ChevronDown} type="submit" disabled={places.length === 0}>
          {t("reader.after")}
        </Button>
      </form>
    </div>
  );
}
