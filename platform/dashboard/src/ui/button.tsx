import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes, ReactNode } from "react";
import { cx } from "@/lib/cx";

export type Tone = "plain" | "primary" | "danger" | "quiet";

const TONES: Record<Tone, string> = {
  plain: "border border-line bg-surface hover:bg-hover",
  primary: "border border-transparent bg-accent text-accent-ink hover:brightness-110",
  danger: "border border-line bg-surface text-bad hover:border-bad hover:bg-bad-soft",
  quiet: "border border-transparent text-soft hover:bg-hover hover:text-ink",
};

/** How a button looks; for links that are buttons as well. */
export function buttonClass(tone: Tone = "plain", small = false): string {
  return cx(
    "inline-flex items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors",
    "disabled:pointer-events-none disabled:opacity-55 aria-disabled:pointer-events-none aria-disabled:opacity-55",
    small ? "min-h-7 px-2 text-[0.8rem]" : "min-h-9 px-3 text-sm",
    TONES[tone],
  );
}

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  tone?: Tone;
  small?: boolean;
  icon?: LucideIcon;
  busy?: boolean;
  children: ReactNode;
}

/** A button with words; an icon only goes with them. */
export function Button({ tone, small, icon: Icon, busy, children, className, disabled, ...rest }: Props) {
  return (
    <button
      type="button"
      className={cx(buttonClass(tone, small), className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {Icon && <Icon aria-hidden size={small ? 14 : 16} className={cx(busy && "animate-pulse")} />}
      {children}
    </button>
  );
}
