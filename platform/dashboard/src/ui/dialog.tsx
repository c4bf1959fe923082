import { X } from "lucide-react";
import { Dialog as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";

interface Props {
  open: boolean;
  onOpenChange(open: boolean): void;
  title: ReactNode;
  description?: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  wide?: boolean;
}

/** A question, or a form, over the page. */
export function Dialog({ open, onOpenChange, title, description, children, actions, wide }: Props) {
  const { t } = useTranslation();
  return (
    <Radix.Root open={open} onOpenChange={onOpenChange}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/45" />
        <Radix.Content
          className={cx(
            "fixed top-[8vh] left-1/2 z-50 flex max-h-[84vh] w-[calc(100vw-2rem)] -translate-x-1/2 flex-col",
            "rounded-xl border border-line bg-surface shadow-card",
            wide ? "max-w-4xl" : "max-w-lg",
          )}
          {...(description ? {} : { "aria-describedby": undefined })}
        >
          <div className="flex items-start justify-between gap-4 border-b border-line p-4">
            <div>
              <Radix.Title className="text-base font-semibold">{title}</Radix.Title>
              {description && <Radix.Description className="mt-1 text-sm text-soft">{description}</Radix.Description>}
            </div>
            <Radix.Close aria-label={t("action.close")} className="rounded p-1 text-soft hover:bg-hover hover:text-ink">
              <X aria-hidden size={18} />
            </Radix.Close>
          </div>
          {children && <div className="min-h-0 overflow-auto p-4">{children}</div>}
          {actions && <div className="flex flex-wrap justify-end gap-2 border-t border-line p-4">{actions}</div>}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
