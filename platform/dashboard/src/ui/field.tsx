import { useId, type ComponentProps, type ReactNode } from "react";
import { cx } from "@/lib/cx";
import { described } from "@/ui/described";

export const fieldClass =
  "w-full rounded-md border border-line-strong/60 bg-surface px-2.5 py-1.5 text-sm hover:border-line-strong aria-[invalid=true]:border-bad disabled:opacity-60";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cx(fieldClass, "min-h-9", className)} {...rest} />;
}
export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cx(fieldClass, className)} {...rest} />;
}
export function Select({ className, ...rest }: ComponentProps<"select">) {
  return <select className={cx(fieldClass, "min-h-9 pr-7", className)} {...rest} />;
}

/** Of a control that filters a list: as wide as it needs, and lower. */
export const filterClass = "w-auto! min-h-8! py-1! text-[0.85rem]! max-sm:flex-1";

interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  error?: ReactNode;
  required?: boolean;
  className?: string;
  /** Gets what ties a control to its label, hint and error. */
  children(control: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined }): ReactNode;
}

/** A control with its label, what it is for, and what is wrong with it. */
export function Field({ label, hint, error, required, className, children }: FieldProps) {
  const id = useId();
  const describedBy = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ");
  return (
    <div className={cx("mb-4", className)}>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
        {required && <span aria-hidden className="text-bad"> *</span>}
      </label>
      {children({ id, "aria-describedby": describedBy || undefined, "aria-invalid": error ? true : undefined })}
      {hint && <p id={`${id}-hint`} className="mt-1 text-[0.8rem] text-soft">{described(hint)}</p>}
      {error && <p id={`${id}-error`} className="mt-1 text-[0.8rem] font-medium text-bad">{error}</p>}
    </div>
  );
}
