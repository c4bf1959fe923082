import { useLayoutEffect, useState, type RefObject } from "react";

const AROUND = 12;

/** Which of many rows of one height are in view. */
export function windowOf(scrolled: number, tall: number, count: number, row: number): { from: number; to: number } {
  // In steps, so that not every pixel of scrolling is another window.
  const first = Math.floor(scrolled / row / AROUND) * AROUND - AROUND;
  const from = Math.max(0, Math.min(first, count - 1));
  return { from, to: Math.min(count, from + Math.ceil(tall / row) + 3 * AROUND) };
}

/**
 * The rows of a box that are drawn, however many there are: all of one height, so that nothing is measured or kept for
 * each. `show` brings one into view, `toEnd` the last.
 */
export function useFixedRows(box: RefObject<HTMLElement | null>, count: number, row: number) {
  const [seen, setSeen] = useState({ scrolled: 0, tall: 900 });
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = () => {
      const scrolled = Math.floor(element.scrollTop / row / AROUND) * AROUND * row;
      const tall = element.clientHeight;
      setSeen((before) => (before.scrolled === scrolled && before.tall === tall ? before : { scrolled, tall }));
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const resized = new ResizeObserver(look);
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      resized.disconnect();
    };
  }, [box, row]);
  const show = (index: number) => {
    const element = box.current;
    if (!element) return;
    const top = index * row;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + row > element.scrollTop + element.clientHeight) element.scrollTop = top + row - element.clientHeight;
  };
  return { ...windowOf(seen.scrolled, seen.tall, count, row), show };
}
