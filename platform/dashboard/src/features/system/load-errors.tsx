import { ChevronRight, FileWarning } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Worker } from "@/api/client";
import { CopyButton } from "@/ui/copy";
import type { LoadError } from "./status";

interface Found {
  error: LoadError;
  workers: string[];
}

/** What workers could not load: each once, however many workers say it. */
function found(workers: readonly Worker[]): Found[] {
  const once = new Map<string, Found>();
  for (const worker of workers) {
    for (const error of worker.load_errors as unknown as LoadError[]) {
      const key = `${error.source}\n${error.message}`;
      const known = once.get(key);
      if (known) known.workers.push(worker.name);
      else once.set(key, { error, workers: [worker.name] });
    }
  }
  return [...once.values()];
}

/** What could not be loaded, with the file, and the trace for who opens it. */
export function LoadErrors({ workers, className }: { workers: readonly Worker[]; className?: string }) {
  const { t } = useTranslation("system");
  const all = found(workers);
  if (all.length === 0) return null;
  return (
    <section aria-label={t("load_error.list")} className={className}>
      <div className="rounded-lg border border-paused/40 bg-surface">
        <h2 className="flex items-center gap-2 rounded-t-lg border-b border-paused/40 bg-paused-soft px-3 py-2 text-sm text-paused">
          <FileWarning aria-hidden size={16} />
          {t("load_error.count", { count: all.length })}
        </h2>
        <ul className="divide-y divide-line">
          {all.map((each) => (
            <li key={`${each.error.source}\n${each.error.message}`} className="px-3 py-2 text-sm">
              <Failure {...each} />
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function Failure({ error, workers }: Found) {
  const { t } = useTranslation("system");
  const said = (
    <>
      <span className="font-medium break-words">{error.source}</span>
      {error.level === "warning" && <span className="ml-2 text-[0.8rem] text-soft">{t("load_error.ignored")}</span>}
      <span className="block font-mono text-[0.8rem] break-words text-bad">{error.message}</span>
      <span className="block text-[0.8rem] text-soft">{workers.join(", ")}</span>
    </>
  );
  if (!error.trace) return <div className="pl-6">{said}</div>;
  return (
    <details className="group">
      <summary className="flex list-none gap-2 [&::-webkit-details-marker]:hidden">
        <ChevronRight aria-hidden size={16} className="mt-0.5 shrink-0 text-soft transition-transform group-open:rotate-90" />
        <span className="min-w-0 flex-1">{said}</span>
        <span className="shrink-0 text-[0.8rem] text-soft underline underline-offset-2">{t("load_error.trace")}</span>
      </summary>
      <div className="mt-2 ml-6 overflow-hidden rounded-md border border-line bg-sunken">
        <div className="flex justify-end border-b border-line">
          <CopyButton text={error.trace} />
        </div>
        <pre tabIndex={0} aria-label={t("load_error.trace")} className="max-h-72 overflow-auto p-3 font-mono text-[0.75rem] leading-relaxed">
          {error.trace}
        </pre>
      </div>
    </details>
  );
}
