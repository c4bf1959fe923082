import type { ReactNode } from "react";
import { cx } from "@/lib/cx";

export interface Column<T> {
  id: string;
  head: ReactNode;
  cell(row: T): ReactNode;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** The cell that says what the row is: a card's title on a phone. */
  title?: boolean;
  /** Left out of the cards. */
  minor?: boolean;
  className?: string;
}

interface Props<T> {
  /** What the table lists; for screen readers. */
  label: string;
  columns: Column<T>[];
  rows: readonly T[];
  rowKey(row: T): string;
  /** Attributes of a row: `data-…` for tests. */
  rowProps?(row: T): Record<`data-${string}`, string | undefined>;
  className?: string;
}

/** A table that turns into cards where there is no room for columns. The roles are told, as `display` would take them. */
export function Rows<T>({ label, columns, rows, rowKey, rowProps, className }: Props<T>) {
  return (
    <div className={cx("rounded-lg border border-line bg-surface sm:overflow-x-auto", className)} tabIndex={0} role="region" aria-label={label}>
      <table role="table" aria-label={label} className="w-full text-sm max-sm:block">
        <thead role="rowgroup" className="max-sm:sr-only">
          <tr role="row" className="border-b border-line">
            {columns.map((column) => (
              <th
                key={column.id}
                role="columnheader"
                scope="col"
                className={cx("px-3 py-2 text-[0.8rem] font-medium whitespace-nowrap text-soft", column.numeric ? "text-right" : "text-left")}
              >
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup" className="max-sm:block">
          {rows.map((row) => (
            <tr
              key={rowKey(row)}
              role="row"
              {...rowProps?.(row)}
              className="border-b border-line last:border-b-0 hover:bg-hover/60 max-sm:block max-sm:px-3 max-sm:py-2.5"
            >
              {columns.map((column) => (
                <td
                  key={column.id}
                  role="cell"
                  className={cx(
                    "align-middle sm:px-3 sm:py-2.5",
                    column.title ? "max-sm:mb-1 max-sm:block" : "max-sm:flex max-sm:justify-between max-sm:gap-4 max-sm:py-0.5 max-sm:text-right",
                    column.minor && "max-sm:hidden",
                    column.numeric && "sm:text-right sm:whitespace-nowrap",
                    column.className,
                  )}
                >
                  {!column.title && (
                    <span aria-hidden className="shrink-0 text-soft sm:hidden">
                      {column.head}
                    </span>
                  )}
                  <div className="min-w-0">{column.cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
