import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { ErrorNotice, Notice } from "@/ui/notices";
import { useJournal, useModel, useStream } from "../journal";

/** Said only while what is shown may be behind: the connection is lost or was refused. */
export function StreamLine() {
  const { t } = useTranslation("job");
  const format = useFormat();
  const journal = useJournal();
  const { stream, error } = useStream();
  const { model } = useModel("events");
  if (stream === "refused") return <ErrorNotice error={error} retry={() => journal.open()} className="mb-3" />;
  if (stream !== "lost") return null;
  return (
    <Notice kind="warning" className="mb-3" title={t("stream.lost")}>
      {t("stream.lost_hint", { count: model.events.length, shown: format.number(model.events.length) })}
    </Notice>
  );
}
