import { useFormat } from "@/lib/format";
import { useNow } from "@/lib/clock";

/** When something was, as how long ago; exactly when one points at it. */
export function Ago({ at, className }: { at: string | null | undefined; className?: string }) {
  const format = useFormat();
  const now = useNow();
  if (!at) return <span className={className}>–</span>;
  return (
    <time dateTime={at} title={format.full(at)} className={className}>
      {format.relative(at, now)}
    </time>
  );
}

/** A moment in the chosen time zone. */
export function Moment({ at, className }: { at: string | null | undefined; className?: string }) {
  const format = useFormat();
  if (!at) return <span className={className}>–</span>;
  return (
    <time dateTime={at} className={className}>
      {format.full(at)}
    </time>
  );
}

/** How long something took, or has taken until now. */
export function Took({ from, to, className }: { from: string | null | undefined; to?: string | null; className?: string }) {
  const format = useFormat();
  const now = useNow(!!from && !to);
  if (!from) return <span className={className}>–</span>;
  const end = to ? new Date(to).getTime() : now;
  return <span className={className}>{format.duration(end - new Date(from).getTime())}</span>;
}
