import { CircleCheck } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Badge, JOB_LOOKS, type Look } from "@/ui/state";
import type { ThreadStatus } from "./queries";

const LOOKS: Record<ThreadStatus, Look> = {
  idle: { ...JOB_LOOKS.cancelled, icon: CircleCheck },
  busy: JOB_LOOKS.running,
  interrupted: JOB_LOOKS.paused,
  error: JOB_LOOKS.failed,
};

/** How a thread is doing, which follows from its jobs. */
export function StatusBadge({ status }: { status: ThreadStatus }) {
  const { t } = useTranslation("threads");
  return <Badge look={LOOKS[status]}>{t(`status.${status}`)}</Badge>;
}
