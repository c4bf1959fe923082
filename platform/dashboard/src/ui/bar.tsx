import { cx } from "@/lib/cx";

interface Props {
  value: number;
  max: number;
  /** What it measures; without one it only underlines a number that stands beside it. */
  label?: string;
  color?: string;
  className?: string;
}

/** A part of a whole as a bar. The number is to be said beside it. */
export function Bar({ value, max, label, color = "bg-accent", className }: Props) {
  const share = max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
  const said = label ? { role: "progressbar", "aria-label": label, "aria-valuenow": value, "aria-valuemin": 0, "aria-valuemax": max } : { "aria-hidden": true };
  return (
    <div {...said} className={cx("h-1.5 overflow-hidden rounded-full bg-hover", className)}>
      <div className={cx("h-full rounded-full", color)} style={{ width: `${share * 100}%` }} />
    </div>
  );
}
