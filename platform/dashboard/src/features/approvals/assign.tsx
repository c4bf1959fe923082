import { useMutation } from "@tanstack/react-query";
import { UserRoundPlus } from "lucide-react";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import type { Approval, Schemas } from "@/api/client";
import { usePreferences } from "@/lib/preferences";
import { fromWallTime, toWallTime } from "@/lib/wall-time";
import { useSession } from "@/session/session";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field, Input } from "@/ui/field";
import { ErrorNotice, Notice } from "@/ui/notices";
import { toast } from "@/ui/toast";
import { change, isLate, useRefreshApprovals } from "./queries";

/** Give a pending approval to somebody, or another time to be decided in. */
export function Assign({ approval }: { approval: Approval }) {
  const { t } = useTranslation("approvals");
  const [open, setOpen] = useState(false);
  const { subject } = useSession();
  const refresh = useRefreshApprovals();
  const save = useMutation({
    mutationFn: (changes: Schemas["ApprovalChanges"]) => change(approval, changes),
    onSuccess: () => {
      setOpen(false);
      toast(t("assign.saved"));
    },
    // Whoever was late sees what there is now before trying again.
    onSettled: refresh,
  });
  return (
    <div className="flex flex-wrap gap-2">
      {approval.assignee !== subject && (
        <Button small icon={UserRoundPlus} busy={save.isPending} onClick={() => save.mutate({ assignee: subject })}>
          {t("assign.me")}
        </Button>
      )}
      <Button small onClick={() => { save.reset(); setOpen(true); }}>
        {t("assign.change")}
      </Button>
      {save.isError && !open && <Late error={save.error} />}
      <Dialog open={open} onOpenChange={setOpen} title={t("assign.title")}>
        <Form key={approval.revision} approval={approval} busy={save.isPending} error={save.error} onSave={(changes) => save.mutate(changes)} />
      </Dialog>
    </div>
  );
}

function Late({ error }: { error: unknown }) {
  const { t } = useTranslation("approvals");
  if (isLate(error)) return <Notice kind="warning" title={t("late.changed")}>{t("late.changed_hint")}</Notice>;
  return <ErrorNotice error={error} />;
}

function Form({ approval, busy, error, onSave }: {
  approval: Approval;
  busy: boolean;
  error: unknown;
  onSave(changes: Schemas["ApprovalChanges"]): void;
}) {
  const { t } = useTranslation("approvals");
  const { zone } = usePreferences();
  const [assignee, setAssignee] = useState(approval.assignee ?? "");
  const [time, setTime] = useState(approval.expires_at ? toWallTime(approval.expires_at, zone) : "");
  const [initialTime] = useState(time);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const changes: Schemas["ApprovalChanges"] = {};
    if (assignee.trim() !== (approval.assignee ?? "")) changes.assignee = assignee.trim() || null;
    if (time !== initialTime) changes.expires_at = time ? fromWallTime(time, zone) : null;
    onSave(changes);
  };
  return (
    <form onSubmit={submit}>
      <Field label={t("assign.who")} hint={t("assign.who_hint")}>
        {(control) => <Input {...control} maxLength={200} value={assignee} onChange={(event) => setAssignee(event.target.value)} />}
      </Field>
      <Field label={t("assign.until")} hint={t("assign.until_hint")}>
        {(control) => <Input {...control} type="datetime-local" value={time} onChange={(event) => setTime(event.target.value)} />}
      </Field>
      {error !== null && error !== undefined && <div className="mb-4"><Late error={error} /></div>}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={busy}>
          {t("assign.save")}
        </Button>
      </div>
    </form>
  );
}
