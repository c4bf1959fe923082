import { useEffect, type ReactNode } from "react";
import { cx } from "@/lib/cx";

interface PageProps {
  /** Also the tab's title. */
  title: string;
  /** Above the title: where one is. */
  over?: ReactNode;
  /** Beside the title. */
  beside?: ReactNode;
  actions?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

/** One page: its title, what can be done here, and what there is. */
export function Page({ title, over, beside, actions, wide, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Mutirão`;
  }, [title]);
  return (
    <div className={cx("w-full px-4 pt-5 pb-16 sm:px-6", wide ? "max-w-[110rem]" : "max-w-280")}>
      <header className="mb-4">
        {over && <div className="mb-0.5 text-sm text-soft">{over}</div>}
        <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3 lg:flex-nowrap">
          <div className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1.5 sm:flex-nowrap">
            <h1 title={title} className="line-clamp-2 min-w-0 break-words">
              {title}
            </h1>
            {beside && <div className="shrink-0">{beside}</div>}
          </div>
          {actions && <div className="flex flex-wrap items-center gap-2 lg:shrink-0 lg:justify-end">{actions}</div>}
        </div>
      </header>
      {children}
    </div>
  );
}

export function Card({ children, className, pad = true }: { children: ReactNode; className?: string; pad?: boolean }) {
  return (
    <div className={cx("rounded-lg border border-line bg-surface", pad && "p-4", className)}>{children}</div>
  );
}

/** A titled part of a page. */
export function Section({
  title,
  actions,
  children,
  className,
}: {
  title: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={cx("mb-6", className)}>
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
        <h2>{title}</h2>
        {actions}
      </div>
      {children}
    </section>
  );
}

/** Names and values, in two columns where there is room. */
export function Facts({ facts, className }: { facts: [ReactNode, ReactNode][]; className?: string }) {
  return (
    <dl className={cx("grid grid-cols-[max-content_1fr] gap-x-4 gap-y-1.5 text-sm", className)}>
      {facts.map(([name, value], index) => (
        <div key={index} className="contents">
          <dt className="text-soft">{name}</dt>
          <dd className="min-w-0 break-words">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
