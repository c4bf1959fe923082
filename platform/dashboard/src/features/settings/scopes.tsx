import { useTranslation } from "react-i18next";
import type { Scope } from "@/session/session";

export const SCOPES: readonly Scope[] = ["read", "submit", "approve", "admin"];

/** What a key or a session may do, in words. */
export function Scopes({ scopes }: { scopes: readonly Scope[] }) {
  const { t } = useTranslation("settings");
  return (
    <span className="inline-flex flex-wrap gap-1 max-sm:justify-end">
      {SCOPES.filter((scope) => scopes.includes(scope)).map((scope) => (
        <span key={scope} title={t(`scope.${scope}_what`)} className="rounded border border-line bg-sunken px-1.5 text-[0.8rem] whitespace-nowrap">
          {t(`scope.${scope}`)}
        </span>
      ))}
    </span>
  );
}
