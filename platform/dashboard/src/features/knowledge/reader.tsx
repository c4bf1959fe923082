import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { pieces, type CountedText, type Span } from "@/lib/spans";
import { blockAt, blocksOf, type Block } from "./blocks";
import { ReaderBar } from "./reader-bar";

interface Props {
  counted: CountedText;
  pageStarts: readonly number[];
  /** In characters; marked, and scrolled into view. */
  span: Span | null;
  /** Source code: lines as they are, with their numbers. */
  numbered: boolean;
  label: string;
}

// What a block is taken to be high until it is drawn.
const GUESS = 320;

/** A text of any length with its pages: only what is in view is drawn. */
export function Reader({ counted, pageStarts, span, numbered, label }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const blocks = useMemo(() => blocksOf(counted, pageStarts), [counted, pageStarts]);
  const [found, setFound] = useState<Span | null>(null);
  const cited = useMemo(() => (span ? counted.units(span) : null), [counted, span]);
  const target = found ?? cited;
  const virtual = useVirtualizer({ count: blocks.length, getScrollElement: () => box.current, estimateSize: () => GUESS, overscan: 4 });
  const items = virtual.getVirtualItems();
  const top = virtual.scrollOffset ?? 0;
  const at = items.find((item) => item.end > top + 1) ?? items[0];

  useEffect(() => {
    if (!target) return;
    const index = blockAt(blocks, target.start);
    virtual.scrollToIndex(index, { align: "start" });
    // Blocks above are only measured now that they are drawn, which moves those below.
    let tries = 0;
    let frame = requestAnimationFrame(function look() {
      const mark = box.current?.querySelector(found ? "[data-found]" : "[data-cited]");
      if (mark && box.current) center(box.current, mark);
      if ((tries += 1) < 8) frame = requestAnimationFrame(look);
    });
    return () => cancelAnimationFrame(frame);
  }, [target, found, blocks, virtual]);

  const toPage = (page: number) => virtual.scrollToIndex(blocks.findIndex((block) => block.page === page), { align: "start" });
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-surface">
      <ReaderBar
        text={counted.text}
        page={at ? blocks[at.index]!.page : 1}
        pages={blocks.at(-1)!.page}
        onPage={toPage}
        onFound={setFound}
        onCited={cited ? () => { setFound(null); virtual.scrollToIndex(blockAt(blocks, cited.start), { align: "center" }); } : undefined}
      />
      <div ref={box} tabIndex={0} role="region" aria-label={label} data-testid="reader" className="h-[calc(100dvh-17rem)] min-h-80 overflow-auto">
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => (
            <BlockView
              key={item.key}
              item={item}
              measure={virtual.measureElement}
              block={blocks[item.index]!}
              text={counted.text}
              cited={cited}
              found={found}
              numbered={numbered}
              paged={pageStarts.length > 1}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Scrolls only the box: `scrollIntoView` would move the page as well. */
function center(box: Element, mark: Element): void {
  const [outer, inner] = [box.getBoundingClientRect(), mark.getBoundingClientRect()];
  box.scrollTop += inner.top - outer.top - Math.max(16, (box.clientHeight - inner.height) / 2);
}

interface BlockProps {
  item: VirtualItem;
  measure(element: Element | null): void;
  block: Block;
  text: string;
  cited: Span | null;
  found: Span | null;
  numbered: boolean;
  paged: boolean;
}

function BlockView({ item, measure, block, text, cited, found, numbered, paged }: BlockProps) {
  const { t } = useTranslation("knowledge");
  const format = useFormat();
  const own = text.slice(block.start, block.end);
  const within = (span: Span | null) =>
    span && span.end > block.start && span.start < block.end ? [{ start: Math.max(0, span.start - block.start), end: span.end - block.start }] : [];
  const marks = found ? within(found) : within(cited);
  const shown = pieces(own, marks).map((piece, index) =>
    piece.marked ? (
      <mark
        key={index}
        {...(found ? { "data-found": "" } : { "data-cited": "" })}
        className={cx("text-ink", "border-b-2 box-decoration-clone py-0.5", found ? "border-paused bg-paused-soft" : "border-accent bg-accent-soft")}
      >
        {piece.text}
      </mark>
    ) : (
      piece.text
    ),
  );
  return (
    <div ref={measure} data-index={item.index} className="absolute inset-x-0 px-4 sm:px-8" style={{ transform: `translateY(${item.start}px)` }}>
      {paged && block.first && (
        <div className={cx("flex items-center gap-3 pt-4 pb-2 text-soft", !numbered && "mx-auto max-w-[78ch]")}>
          <span className="text-[0.8rem]">{t("page", { page: format.number(block.page) })}</span>
          <span aria-hidden className="h-px flex-1 bg-line" />
        </div>
      )}
      {numbered ? (
        <div className="flex font-mono text-[0.8rem] leading-relaxed">
          <LineNumbers from={block.line} text={own} />
          <div className="whitespace-pre">{shown}</div>
        </div>
      ) : (
        <div className={cx("mx-auto max-w-[78ch] leading-relaxed break-words whitespace-pre-wrap", item.index === 0 && !paged && "pt-4")}>{shown}</div>
      )}
    </div>
  );
}

function LineNumbers({ from, text }: { from: number; text: string }) {
  const count = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
  return (
    <div aria-hidden className="mr-4 shrink-0 text-right whitespace-pre text-soft select-none" style={{ minWidth: "4ch" }}>
      {Array.from({ length: count }, (_, index) => from + index).join("\n")}
    </div>
  );
}
