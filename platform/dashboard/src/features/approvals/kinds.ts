import { Check, CircleHelp, Clock, CircleX, MessageSquareReply, PencilLine, Undo2, type LucideIcon } from "lucide-react";
import type { Look } from "@/ui/state";
import { JOB_LOOKS } from "@/ui/state";
import type { Kind } from "./question";
import type { ApprovalState } from "./queries";

export const KIND_ICONS: Record<Kind, LucideIcon> = {
  approve: Check,
  edit: PencilLine,
  reject: CircleX,
  answer: MessageSquareReply,
};

/** How each state of an approval looks. */
export const APPROVAL_LOOKS: Record<ApprovalState, Look> = {
  pending: { ...JOB_LOOKS.paused, icon: CircleHelp },
  decided: JOB_LOOKS.succeeded,
  expired: { ...JOB_LOOKS.stranded, icon: Clock },
  withdrawn: { ...JOB_LOOKS.cancelled, icon: Undo2 },
};
