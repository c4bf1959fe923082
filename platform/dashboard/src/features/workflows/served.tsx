import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Badge, JOB_LOOKS } from "@/ui/state";

/** How many workers serve a workflow; none is to be seen at once. */
export function Served({ workers }: { workers: number }) {
  const { t } = useTranslation("workflows");
  const format = useFormat();
  if (workers === 0) return <Badge look={JOB_LOOKS.stranded}>{t("unserved")}</Badge>;
  return <span className="whitespace-nowrap">{t("served", { count: workers, shown: format.number(workers) })}</span>;
}
