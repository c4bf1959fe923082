import { Tabs as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

export interface Tab {
  id: string;
  label: ReactNode;
  /** Beside the label: a count. */
  count?: ReactNode;
  content: ReactNode;
}

/** Panes of one thing, of which one is shown. Keep `value` in the address so that it can be linked to. */
export function Tabs({ tabs, value, onChange, label, className }: {
  tabs: Tab[];
  value: string;
  onChange(id: string): void;
  label: string;
  className?: string;
}) {
  return (
    <Radix.Root value={value} onValueChange={onChange} className={className}>
      <Radix.List aria-label={label} className="mb-4 flex gap-1 overflow-x-auto border-b border-line">
        {tabs.map((tab) => (
          <Radix.Trigger
            key={tab.id}
            value={tab.id}
            className={cx(
              "-mb-px flex items-center gap-1.5 border-b-2 border-transparent px-3 py-2 text-sm font-medium whitespace-nowrap text-soft",
              "-outline-offset-2 hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink",
            )}
          >
            {tab.label}
            {tab.count !== undefined && tab.count !== null && (
              <span className="rounded-full bg-sunken px-1.5 text-[0.75rem] text-soft">{tab.count}</span>
            )}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {tabs.map((tab) => (
        <Radix.Content key={tab.id} value={tab.id} tabIndex={-1}>
          {tab.id === value && tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
