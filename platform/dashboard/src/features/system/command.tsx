import { CopyButton } from "@/ui/copy";

/** A line for a terminal, to be copied. */
export function Command({ children }: { children: string }) {
  return (
    <span className="inline-flex max-w-full items-center gap-1 rounded-md border border-line bg-surface pl-2 text-ink">
      <code className="min-w-0 py-1 font-mono text-[0.8rem] break-all">{children}</code>
      <CopyButton text={children} />
    </span>
  );
}
