import type { ReactNode } from "react";
import { cx } from "@/lib/cx";
import { CopyButton } from "./copy";

interface Props {
  label: string;
  /** What is copied. */
  text: string;
  /** What is shown of it; by default all. */
  shown?: string;
  /** Break long lines; otherwise they scroll. */
  wrap?: boolean;
  /** What stands below. */
  children?: ReactNode;
}

/** Text of a machine, to read and to copy. */
export function CodeBox({ label, text, shown = text, wrap, children }: Props) {
  return (
    <div className="overflow-hidden rounded-md border border-line bg-sunken">
      <div className="flex items-center justify-between border-b border-line py-0.5 pr-1 pl-3">
        <span className="text-[0.8rem] text-soft">{label}</span>
        <CopyButton text={text} />
      </div>
      <pre
        tabIndex={0}
        aria-label={label}
        className={cx("max-h-96 overflow-auto p-3 font-mono text-[0.8rem] leading-relaxed", wrap && "break-words whitespace-pre-wrap")}
      >
        {shown}
      </pre>
      {children}
    </div>
  );
}
