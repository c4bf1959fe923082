import { useQuery } from "@tanstack/react-query";
import type { Approval } from "@/api/client";
import { ErrorNotice, Skeleton } from "@/ui/notices";
import { Decide } from "./decide";
import { approvalQuery } from "./queries";

/** One approval beside the list. */
export function Detail({ id, onDone }: { id: string; onDone(approval: Approval): void }) {
  const { data, error, refetch } = useQuery(approvalQuery(id));
  if (error && !data) return <ErrorNotice error={error} retry={() => void refetch()} />;
  if (!data) return <Skeleton lines={8} />;
  return (
    <article className="rounded-lg border-line bg-surface max-sm:bg-transparent sm:border sm:p-5">
      <Decide approval={data} onDone={onDone} keys />
    </article>
  );
}
