import { cx } from "@/lib/cx";

interface Props<T extends string> {
  /** What is chosen; for screen readers. */
  label: string;
  value: T;
  options: [id: T, word: string][];
  onChange(id: T): void;
}

/** A choice of few, all of which are seen. */
export function Choice<T extends string>({ label, value, options, onChange }: Props<T>) {
  return (
    <div role="group" aria-label={label} className="inline-flex rounded-md border border-line bg-sunken p-0.5">
      {options.map(([id, word]) => (
        <button
          key={id}
          type="button"
          aria-pressed={id === value}
          onClick={() => onChange(id)}
          className={cx(
            "rounded-[5px] px-2.5 py-0.5 text-[0.8rem] font-medium whitespace-nowrap",
            id === value ? "bg-surface text-ink ring-1 ring-line" : "text-soft hover:text-ink",
          )}
        >
          {word}
        </button>
      ))}
    </div>
  );
}
