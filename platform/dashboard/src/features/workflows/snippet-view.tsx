import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { ROOT, type Workflow } from "@/api/client";
import { CopyButton } from "@/ui/copy";
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
      tabs={Object.entries(WAYS).map(([id, write]) => ({ id, label: t(`snippet.${id}`), content: <Code text={write(call)} label={t(`snippet.${id}`)} /> }))}
    />
  );
}

function Code({ text, label }: { text: string; label: string }) {
  return (
    <div className="overflow-hidden rounded-md border border-line bg-sunken">
      <div className="flex items-center justify-between border-b border-line py-0.5 pr-1 pl-3">
        <span className="text-[0.8rem] text-soft">{label}</span>
        <CopyButton text={text} />
      </div>
      <pre tabIndex={0} aria-label={label} className="max-h-96 overflow-auto p-3 font-mono text-[0.8rem] leading-relaxed">
        {text}
      </pre>
    </div>
  );
}
