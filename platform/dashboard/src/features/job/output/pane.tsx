import { ArrowDownToLine } from "lucide-react";
import { memo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { cx } from "@/lib/cx";
import { useFormat } from "@/lib/format";
import { Button } from "@/ui/button";
import { Select } from "@/ui/field";
import { Empty } from "@/ui/notices";
import { isOver } from "@/ui/state";
import { useModel, useStream } from "../journal";
import { usePlace } from "../place";
import type { Speech } from "../records";
import { useFollow } from "../follow";

/** What the models say, as they say it, by step; the end stays in view unless one scrolls up. */
export default memo(function OutputPane({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const { model, mark } = useModel("speeches", "state");
  const { stream } = useStream();
  const [step, setStep] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const over = isOver(job.state);
  const { following, onScroll, toEnd } = useFollow(box, mark, !over);
  const steps = [...new Set(model.speeches.map((speech) => speech.step ?? ""))].filter(Boolean);
  const shown = step ? model.speeches.filter((speech) => speech.step === step) : model.speeches;
  if (model.speeches.length === 0) return <Empty title={t("output.empty")}>{t(over ? "output.empty_over" : "output.empty_hint")}</Empty>;
  return (
    <div>
      <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
        <label className="flex items-center gap-2 text-sm">
          {t("output.step")}
          <Select className="!w-auto" value={step} onChange={(event) => setStep(event.target.value)}>
            <option value="">{t("output.all")}</option>
            {steps.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </Select>
        </label>
        <span className="flex items-center gap-3 text-[0.85rem] text-soft">
          {stream === "lost" && t("output.lost")}
          {!following && (
            <Button small icon={ArrowDownToLine} onClick={toEnd}>
              {t("output.to_end")}
            </Button>
          )}
        </span>
      </div>
      <div
        ref={box}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-label={t("output.label")}
        aria-live="off"
        className="h-[min(70vh,44rem)] overflow-y-auto rounded-lg border border-line bg-surface px-4 py-3"
      >
        {shown.map((speech, index) => (
          <Said
            key={`${speech.since} ${speech.message}`}
            speech={speech}
            length={speech.text.length}
            ended={speech.call !== null}
            last={!over && index === shown.length - 1}
          />
        ))}
      </div>
    </div>
  );
});

/** One speech. `length` and `ended` say that it has changed: it grows in place. */
const Said = memo(function Said({ speech, last }: { speech: Speech; length: number; ended: boolean; last: boolean }) {
  const { t } = useTranslation("job");
  const format = useFormat();
  const { go } = usePlace();
  const { call } = speech;
  return (
    <section className="mb-4 [content-visibility:auto] [contain-intrinsic-size:auto_6rem]">
      <h2 className="mb-1 flex flex-wrap items-baseline gap-x-3 !text-[0.82rem]">
        {speech.step ? (
          <button type="button" className="font-mono text-accent-text hover:underline" onClick={() => go({ step: speech.step ?? undefined, attempt: speech.attempt })}>
            {speech.step}
          </button>
        ) : (
          <span>{t("output.no_step")}</span>
        )}
        <span className="font-normal text-soft tabular-nums">
          {format.clock(speech.since)}
          {call && ` · ${call.model} · ${format.duration(call.milliseconds)}`}
          {call?.replayed && ` · ${t("call.replayed")}`}
          {speech.attempt > 1 && ` · ${t("trouble.attempt", { attempt: speech.attempt })}`}
        </span>
      </h2>
      <p className={cx("text-[0.92rem] leading-relaxed break-words whitespace-pre-wrap", call?.error && "text-bad")}>
        {call?.error && !speech.text ? call.error : speech.text}
        {last && !call && <span aria-hidden className="ml-0.5 inline-block h-4 w-1.5 animate-pulse rounded-sm bg-running align-text-bottom" />}
      </p>
    </section>
  );
});
