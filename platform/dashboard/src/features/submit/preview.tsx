import { useDeferredValue, useState } from "react";
import { useTranslation } from "react-i18next";
import { ROOT } from "@/api/client";
import { CopyButton } from "@/ui/copy";
import { Tabs } from "@/ui/tabs";
import { asCurl, asPython, type Submission } from "./code";

const origin = () => `${window.location.origin}${ROOT}`;

/** The same submission as code, as it stands now. */
export function Preview({ submission }: { submission: Submission }) {
  const { t } = useTranslation("submit");
  const [shown, setShown] = useState("curl");
  const now = useDeferredValue(submission);
  const tabs = [
    { id: "curl", label: t("preview.curl"), content: <Code text={asCurl(now, `${origin()}/api/v1`)} label={t("preview.curl")} /> },
    { id: "python", label: t("preview.python"), content: <Code text={asPython(now, origin())} label={t("preview.python")} /> },
  ];
  return (
    <section className="min-w-0 max-w-3xl xl:sticky xl:top-5">
      <h2 className="mb-2">{t("preview.title")}</h2>
      <Tabs tabs={tabs} value={shown} onChange={setShown} label={t("preview.title")} />
      <p className="mt-2 text-[0.8rem] text-soft">{t("preview.key")}</p>
    </section>
  );
}

function Code({ text, label }: { text: string; label: string }) {
  return (
    <div className="relative overflow-hidden rounded-md border border-line bg-sunken">
      <div className="absolute top-1 right-1 rounded-md bg-sunken">
        <CopyButton text={text} />
      </div>
      <pre tabIndex={0} aria-label={label} className="max-h-[32rem] overflow-auto p-3 pt-9 font-mono text-[0.78rem] leading-relaxed">
        {text}
      </pre>
    </div>
  );
}
