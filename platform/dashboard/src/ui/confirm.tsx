import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";
import { Dialog } from "./dialog";
import { ErrorNotice } from "./notices";

interface Props {
  open: boolean;
  onOpenChange(open: boolean): void;
  /** The question. */
  title: ReactNode;
  /** What will be, and whether it can be undone. */
  children: ReactNode;
  /** What the button says: the verb, never only "yes". */
  confirm: string;
  onConfirm(): void;
  busy?: boolean;
  error?: unknown;
}

/** Asks before something that cannot be undone. */
export function Confirm({ open, onOpenChange, title, children, confirm, onConfirm, busy, error }: Props) {
  const { t } = useTranslation();
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      actions={
        <>
          <Button onClick={() => onOpenChange(false)}>{t("action.cancel")}</Button>
          <Button tone="danger" busy={busy} onClick={onConfirm}>
            {confirm}
          </Button>
        </>
      }
    >
      <div className="text-sm">{children}</div>
      {error ? <ErrorNotice error={error} className="mt-3" /> : null}
    </Dialog>
  );
}
