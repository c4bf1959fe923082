import { Link, useNavigate } from "@tanstack/react-router";
import { Check, CircleDashed, FileText, LoaderCircle, Play, Plus } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Trans, useTranslation } from "react-i18next";
import { cx } from "@/lib/cx";
import { useMay } from "@/session/session";
import { Bar } from "@/ui/bar";
import { Button, buttonClass } from "@/ui/button";
import { CopyButton } from "@/ui/copy";
import { Card, Page } from "@/ui/layout";
import { ErrorNotice } from "@/ui/notices";
import { runDemo, type DemoProgress } from "./demo";

const FLOW = `from typing import TypedDict

from langgraph.graph import START, StateGraph
from mutirao_agents import job_context, workflow


class Text(TypedDict):
    text: str


async def shorten(state: Text) -> Text:
    model = job_context().models.chat()
    answer = await model.ainvoke(f"In one sentence: {state['text']}")
    return {"text": answer.text}


@workflow(name="shorten", description="Says it in one sentence.")
def shorten_text() -> StateGraph:
    return StateGraph(Text).add_node(shorten).add_edge(START, "shorten")
`;
const COMMANDS = "mutirao init my-project\ncd my-project && mutirao up\n";

/** An installation in which nothing has run: the demo, and how to run something of one's own. */
export default function FirstRun({ onBusy }: { onBusy(busy: boolean): void }) {
  const { t } = useTranslation("jobs");
  const may = useMay("submit");
  return (
    <Page title={t("title")}>
      <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <Demo onBusy={onBusy} may={may} />
        <section className="space-y-5">
          <div>
            <h2>{t("first.own")}</h2>
            <p className="mt-1 text-sm text-soft">{t("first.own_what")}</p>
            {may && (
              <Link to="/submit" className={`${buttonClass()} mt-3`}>
                <Plus aria-hidden size={16} />
                {t("submit")}
              </Link>
            )}
          </div>
          <div>
            <h3 className="mb-1.5">{t("first.project")}</h3>
            <Snippet text={COMMANDS} label={t("first.project")} />
          </div>
          <div>
            <h3 className="mb-1.5">{t("first.python")}</h3>
            <Snippet text={FLOW} label={t("first.python")} />
            <p className="mt-2 text-[0.8rem] text-soft">
              <Trans t={t} i18nKey="first.python_hint" components={{ code: <code /> }} />
            </p>
          </div>
        </section>
      </div>
    </Page>
  );
}

function Demo({ onBusy, may }: { onBusy(busy: boolean): void; may: boolean }) {
  const { t } = useTranslation("jobs");
  const navigate = useNavigate();
  const [progress, setProgress] = useState<DemoProgress | null>(null);
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const running = progress !== null && error === null;

  const begin = async () => {
    const own = (stop.current = new AbortController());
    setError(null);
    setProgress({ sent: 0, read: 0, of: 0, submitted: false });
    onBusy(true);
    try {
      const jobId = await runDemo(setProgress, own.signal);
      await navigate({ to: "/jobs/$jobId", params: { jobId } });
    } catch (caught) {
      if (!own.signal.aborted) setError(caught);
    }
  };
  return (
    <Card className="p-6!">
      <div className="mb-3 inline-flex rounded-lg bg-accent-soft p-2 text-accent-text">
        <FileText aria-hidden size={22} />
      </div>
      <h2 className="text-lg!">{t("first.title")}</h2>
      <p className="mt-1.5 max-w-prose text-sm text-soft">{t("first.what")}</p>
      <ol className="my-5 space-y-3">
        <Part word="documents" done={progress?.sent ?? 0} of={progress?.of ?? 0} begun={progress !== null} />
        <Part word="index" done={progress?.read ?? 0} of={progress?.of ?? 0} begun={(progress?.sent ?? 0) > 0} />
        <Part word="report" done={progress?.submitted ? 1 : 0} of={1} begun={!!progress && progress.of > 0 && progress.read === progress.of} />
      </ol>
      {error !== null && <ErrorNotice error={error} className="mb-4" />}
      {may ? (
        <Button tone="primary" icon={Play} busy={running} onClick={() => void begin()}>
          {t(error === null ? "first.begin" : "first.again")}
        </Button>
      ) : (
        <p className="text-sm text-soft">{t("first.may_not")}</p>
      )}
      <p className="mt-3 text-[0.8rem] text-soft">{t("first.private")}</p>
    </Card>
  );
}

/** A part of the demo: what it is, and how far. */
function Part({ word, done, of, begun }: { word: string; done: number; of: number; begun: boolean }) {
  const { t } = useTranslation("jobs");
  const over = of > 0 && done === of;
  const running = begun && !over;
  const Icon = over ? Check : running ? LoaderCircle : CircleDashed;
  return (
    <li className="flex items-start gap-3 text-sm" data-demo={word} data-state={over ? "done" : running ? "running" : "pending"}>
      <Icon aria-hidden size={18} className={cx("mt-0.5 shrink-0", over ? "text-good" : running ? "animate-spin text-running" : "text-soft")} />
      <div className="min-w-0 flex-1">
        <span className={cx(!running && !over && "text-soft")}>{t(`first.part.${word}`)}</span>
        {running && of > 1 && (
          <div className="mt-1 flex items-center gap-3">
            <Bar value={done} max={of} label={t(`first.part.${word}`)} className="w-full max-w-72" />
            <span className="text-[0.8rem] text-soft tabular-nums">{t("so_far", { met: done, of })}</span>
          </div>
        )}
      </div>
    </li>
  );
}

function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="relative overflow-hidden rounded-md border border-line bg-sunken">
      <div className="absolute top-1 right-1 rounded-md bg-sunken">
        <CopyButton text={text} />
      </div>
      <pre tabIndex={0} aria-label={label} className="overflow-x-auto p-3 pr-20 font-mono text-[0.78rem] leading-relaxed">
        {text}
      </pre>
    </div>
  );
}
