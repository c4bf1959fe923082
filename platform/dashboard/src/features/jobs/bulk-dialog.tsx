import { Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Bar } from "@/ui/bar";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { ErrorNotice, Notice } from "@/ui/notices";
import { toast } from "@/ui/toast";
import { doToAll, type Act, type Outcome, type Refusal, type Target } from "./bulk";
import type { Row } from "./rows";

interface Props {
  act: Act;
  count: number;
  /** How many of them are known to be refused. */
  idle: number;
  target: Target;
  rows: ReadonlyMap<string, Row>;
  close(done: boolean): void;
}

const MOST_SHOWN = 200;

/** Asks, does it while one looks on, and says what was refused and why. */
export default function BulkDialog({ act, count, idle, target, rows, close }: Props) {
  const { t } = useTranslation(["jobs", "common"]);
  const format = useFormat();
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [over, setOver] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const stop = useRef<AbortController | null>(null);
  useEffect(() => () => stop.current?.abort(), []);
  const running = outcome !== null && !over && error === null;

  const begin = async () => {
    const own = (stop.current = new AbortController());
    setError(null);
    setOutcome({ done: 0, refusals: [] });
    try {
      const found = await doToAll(act, target, setOutcome, own.signal);
      if (found.refusals.length === 0) {
        toast(t(`done.${act}`, { count: found.done, shown: format.number(found.done) }));
        return close(true);
      }
      setOutcome(found);
      setOver(true);
    } catch (caught) {
      if (own.signal.aborted) setOver(true);
      else setError(caught);
    }
  };
  const met = outcome ? outcome.done + outcome.refusals.length : 0;
  const shown = format.number(count);
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && !running && close(over)}
      title={over ? t(`done.${act}`, { count: outcome?.done ?? 0, shown: format.number(outcome?.done ?? 0) }) : t(`ask.${act}`, { count, shown })}
      description={over ? undefined : t(`ask_hint.${act}`)}
      actions={
        over ? (
          <Button tone="primary" onClick={() => close(true)}>
            {t("common:action.close")}
          </Button>
        ) : running ? (
          <Button onClick={() => stop.current?.abort()}>{t("stop")}</Button>
        ) : (
          <>
            <Button onClick={() => close(met > 0)}>{t("common:action.close")}</Button>
            <Button tone={act === "cancel" ? "danger" : "primary"} onClick={() => void begin()}>
              {t(`confirm.${act}`, { count, shown })}
            </Button>
          </>
        )
      }
    >
      {error !== null ? (
        <ErrorNotice error={error} />
      ) : over ? (
        <Refusals refusals={outcome?.refusals ?? []} rows={rows} />
      ) : running ? (
        <div className="text-sm">
          <Bar value={met} max={count} label={t("progress")} className="w-full" />
          <p role="status" className="mt-1 text-soft tabular-nums">
            {t("so_far", { met: format.number(met), of: shown })}
          </p>
        </div>
      ) : idle > 0 ? (
        <Notice kind="warning" title={t(`idle.${act}`, { count: idle, shown: format.number(idle) })}>
          {t("idle_hint")}
        </Notice>
      ) : null}
    </Dialog>
  );
}

function Refusals({ refusals, rows }: { refusals: Refusal[]; rows: ReadonlyMap<string, Row> }) {
  const { t } = useTranslation("jobs");
  const format = useFormat();
  if (refusals.length === 0) return null;
  return (
    <>
      <h3 className="mb-2">{t("refused", { count: refusals.length, shown: format.number(refusals.length) })}</h3>
      <ul className="divide-y divide-line text-sm">
        {refusals.slice(0, MOST_SHOWN).map((refusal) => (
          <li key={refusal.id} className="py-1.5">
            <Link to="/jobs/$jobId" params={{ jobId: refusal.id }} className="font-mono text-[0.8rem] underline underline-offset-2">
              {refusal.id.slice(-8)}
            </Link>{" "}
            <span className="text-soft">{rows.get(refusal.id)?.workflow}</span>
            <div>{refusal.detail}</div>
          </li>
        ))}
      </ul>
      {refusals.length > MOST_SHOWN && <p className="mt-2 text-sm text-soft">{t("more_refused", { count: refusals.length - MOST_SHOWN })}</p>}
    </>
  );
}
