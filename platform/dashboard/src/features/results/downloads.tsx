import { Download } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Artifact } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { buttonClass } from "@/ui/button";
import { artifactUrl } from "./queries";

/** Files of a job as links to save them. */
export function Downloads({ artifacts, className }: { artifacts: Artifact[]; className?: string }) {
  const { t } = useTranslation("results");
  const format = useFormat();
  if (artifacts.length === 0) return null;
  return (
    <ul aria-label={t("downloads")} className={cx("flex max-w-full gap-2 max-sm:overflow-x-auto max-sm:p-0.5 sm:flex-wrap print:hidden", className)}>
      {artifacts.map((artifact) => (
        <li key={artifact.name}>
          <a href={artifactUrl(artifact.job_id, artifact.name)} download className={buttonClass("plain", true)}>
            <Download aria-hidden size={14} />
            {artifact.name}
            <span className="font-normal text-soft">{format.bytes(artifact.size)}</span>
          </a>
        </li>
      ))}
    </ul>
  );
}
