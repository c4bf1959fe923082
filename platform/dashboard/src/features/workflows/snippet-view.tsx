import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ROOT, type Workflow } from "@/api/client";
import { CodeBox } from "@/ui/code-box";
import { Tabs } from "@/ui/tabs";
import { sampleOf } from "./schema-fields";
import { commandCall, curlCall, pythonCall } from "./snippets";

const WAYS = { python: pythonCall, curl: curlCall, command: commandCall };

/** How to submit a workflow from elsewhere. */
export function SnippetView({ workflow }: { workflow: Workflow }) {
  const { t } = useTranslation("workflows");
  const [way, setWay] = useState("python");
  const call = useMemo(
    () => ({ root: new URL(ROOT || "/", window.location.origin).href.replace(/\/$/, ""), workflow: workflow.name, input: sampleOf(workflow.input_schema) }),
    [workflow],
  );
  return (
    <Tabs
      label={t("snippet.label")}
      value={way}
      onChange={setWay}
      tabs={Object.entries(WAYS).map(([id, write]) => ({ id, label: t(`snippet.${id}`), content: <CodeBox text={write(call)} label={t(`snippet.${id}`)} /> }))}
    />
  );
}
