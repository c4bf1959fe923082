import { Download } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Json } from "@/ui/json";
import { Card, Section } from "@/ui/layout";
import { Empty } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { Choice } from "./choice";
import { Value } from "./value";

/** The output of a job as it is: to be read, or as JSON to be taken along. */
export function OutputView({ job }: { job: Job }) {
  const { t } = useTranslation("results");
  const { t: common } = useTranslation();
  const [isRaw, setRaw] = useState(false);
  const { output } = job;
  if (output === null || output === undefined) {
    const why = job.state === "succeeded" ? "none_hint" : isOver(job.state) ? "none_failed" : "none_yet";
    return <Empty title={t(isOver(job.state) ? "output.none" : "output.not_yet")}>{t(`output.${why}`)}</Empty>;
  }
  const text = () => JSON.stringify(output, null, 2);
  return (
    <Section
      title={t("output.title")}
      actions={
        <div className="flex flex-wrap items-center gap-2">
          <Choice
            label={t("files.shown_as")}
            value={isRaw ? "raw" : "laid_out"}
            options={[["laid_out", t("files.laid_out")], ["raw", t("output.raw")]]}
            onChange={(chosen) => setRaw(chosen === "raw")}
          />
          {!isRaw && <CopyButton text={text} label={t("output.copy")} />}
          <Button small icon={Download} onClick={() => save(`${job.workflow}-${job.id.slice(-8)}.json`, text())}>
            {common("action.download")}
          </Button>
        </div>
      }
    >
      {isRaw ? (
        <Json value={output} label={t("output.title")} />
      ) : (
        <Card className="text-[0.95rem] sm:px-6 sm:py-5">
          <Value value={output} />
        </Card>
      )}
    </Section>
  );
}

/** Saves a text as a file of this computer. */
function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1_000);
}
