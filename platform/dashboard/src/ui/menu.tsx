import { DropdownMenu as Radix } from "radix-ui";
import type { LucideIcon } from "lucide-react";
import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

export interface MenuItem {
  label: ReactNode;
  icon?: LucideIcon;
  danger?: boolean;
  disabled?: boolean;
  checked?: boolean;
  onSelect(): void;
}

/** A button that opens a list of things to do. `trigger` is one element that takes a ref: a button. */
export function Menu({ trigger, items, label }: { trigger: ReactNode; items: MenuItem[]; label: string }) {
  return (
    <Radix.Root>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          aria-label={label}
          align="end"
          sideOffset={4}
          className="z-50 min-w-44 rounded-lg border border-line bg-surface p-1 text-sm shadow-card"
        >
          {items.map((item, index) => (
            <Radix.Item
              key={index}
              disabled={item.disabled}
              onSelect={item.onSelect}
              className={cx(
                "flex cursor-pointer items-center gap-2 rounded-md px-2 py-1.5 outline-none select-none",
                "data-[disabled]:pointer-events-none data-[disabled]:opacity-50 data-[highlighted]:bg-hover",
                item.danger && "text-bad",
                item.checked && "font-semibold",
              )}
            >
              {item.icon && <item.icon aria-hidden size={15} />}
              {item.label}
            </Radix.Item>
          ))}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
