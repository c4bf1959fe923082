import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Page } from "@/ui/layout";
import { Parts } from "./parts";
import { Queues } from "./queues";
import { StarvedNotices } from "./starved";
import { statusQuery } from "./status";
import { Workers } from "./workers";

export default function SystemPage() {
  const { t } = useTranslation("system");
  const { data } = useQuery(statusQuery);
  return (
    <Page title={t("title")} beside={data && <span className="text-sm text-soft">{t("version", { version: data.version })}</span>}>
      <StarvedNotices starved={data?.starved ?? []} />
      <Parts />
      <Workers />
      <Queues />
    </Page>
  );
}
