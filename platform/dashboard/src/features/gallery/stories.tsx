import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { StreamState } from "@/live/stream";
import { ConnectionState } from "@/shell/connection";
import { Button, type Tone } from "@/ui/button";
import { Field, Input, Select, TextArea } from "@/ui/field";
import { Json } from "@/ui/json";
import { Facts } from "@/ui/layout";
import { Empty, ErrorNotice, Notice, Skeleton } from "@/ui/notices";
import { JOB_STATES, JobBadge, STEP_LOOKS, StepBadge, type StepState } from "@/ui/state";
import { toast, toastError } from "@/ui/toast";
import { broken, endless, forbidden, refused, unreachable } from "./data/errors";
import { approval, asking, cancelling, dead, exhausted, failed, retrying, stranded, unserved, waiting, type Told } from "./data/jobs";
import { LONG_TEXT, LONG_WORD } from "./data/texts";
import { JobStory } from "./job-story";

/** A state that is hard to come by, drawn by what draws it elsewhere. `id` is its place in the address, and its title's key. */
export interface Story {
  id: string;
  Show(): ReactNode;
}

const Row = ({ children }: { children: ReactNode }) => <div className="flex flex-wrap items-center gap-3">{children}</div>;

const TONES: Tone[] = ["plain", "primary", "danger", "quiet"];
const STREAMS: StreamState[] = ["connecting", "live", "lost", "ended", "refused", "asleep"];
const again = () => undefined;

function JobStates() {
  return (
    <Row>
      {JOB_STATES.map((state) => (
        <JobBadge key={state} state={state} />
      ))}
      <JobBadge state="paused" waitingFor="approval" />
    </Row>
  );
}

function StepStates() {
  return (
    <Row>
      {(Object.keys(STEP_LOOKS) as StepState[]).map((state) => (
        <StepBadge key={state} state={state} />
      ))}
    </Row>
  );
}

function Connections() {
  return (
    <Row>
      {STREAMS.map((state) => (
        <ConnectionState key={state} state={state} />
      ))}
    </Row>
  );
}

function Errors() {
  return (
    <div className="space-y-3">
      {[unreachable, refused, forbidden, broken, endless].map((error) => (
        <ErrorNotice key={error.code} error={error} retry={again} />
      ))}
    </div>
  );
}

function Notices() {
  const { t } = useTranslation("gallery");
  return (
    <div className="space-y-3">
      {(["info", "warning", "error"] as const).map((kind) => (
        <Notice key={kind} kind={kind} title={t(`notice.${kind}`)} actions={<Button small>{t("button.again")}</Button>}>
          {t("notice.what")}
        </Notice>
      ))}
    </div>
  );
}

function Buttons() {
  const { t } = useTranslation("gallery");
  return (
    <div className="space-y-3">
      {[false, true].map((small) => (
        <Row key={String(small)}>
          {TONES.map((tone) => (
            <Button key={tone} tone={tone} small={small}>
              {t(`button.${tone}`)}
            </Button>
          ))}
          <Button small={small} busy>
            {t("button.busy")}
          </Button>
          <Button small={small} disabled>
            {t("button.disabled")}
          </Button>
        </Row>
      ))}
      <Row>
        <Button onClick={() => toast(t("toast.done"))}>{t("toast.show")}</Button>
        <Button onClick={() => toastError(forbidden)}>{t("toast.show_error")}</Button>
      </Row>
    </div>
  );
}

function Fields() {
  const { t } = useTranslation("gallery");
  return (
    <div className="max-w-md">
      <Field label={t("field.text")} hint={t("field.hint")} required>
        {(control) => <Input {...control} defaultValue={LONG_TEXT} />}
      </Field>
      <Field label={t("field.wrong")} hint={t("field.hint")} error={t("field.error")}>
        {(control) => <Input {...control} />}
      </Field>
      <Field label={t("field.choice")}>
        {(control) => (
          <Select {...control}>
            <option>{t("field.one")}</option>
            <option>{t("field.other")}</option>
          </Select>
        )}
      </Field>
      <Field label={t("field.long")}>{(control) => <TextArea {...control} rows={3} disabled value={LONG_TEXT} readOnly />}</Field>
    </div>
  );
}

function Nothing() {
  const { t } = useTranslation("gallery");
  return (
    <Empty title={t("empty.title")} actions={<Button tone="primary">{t("empty.action")}</Button>}>
      {t("empty.what")}
    </Empty>
  );
}

function LongTexts() {
  const { t } = useTranslation("gallery");
  return (
    <div className="space-y-3">
      <Facts
        facts={[
          [t("long.words"), LONG_TEXT],
          [t("long.word"), LONG_WORD],
        ]}
      />
      <Notice kind="warning" title={LONG_WORD}>
        {LONG_WORD}
      </Notice>
      <Json label={t("long.json")} value={{ word: LONG_WORD, texts: Array.from({ length: 400 }, () => LONG_TEXT) }} />
    </div>
  );
}

const versionKey = ({ job }: Told) => ["workflow", job.workflow, job.version];
const CHILDREN = { total: 20, counts: { running: 3, queued: 5, succeeded: 12 } };

export const STORIES: Story[] = [
  { id: "job_states", Show: JobStates },
  { id: "step_states", Show: StepStates },
  { id: "connections", Show: Connections },
  { id: "job_failed", Show: () => <JobStory told={failed} /> },
  { id: "job_dead", Show: () => <JobStory told={dead} /> },
  { id: "job_budget", Show: () => <JobStory told={exhausted} /> },
  { id: "job_asks", Show: () => <JobStory told={asking} stream="live" answers={[[["approvals", "job", asking.job.id], [approval]]]} /> },
  { id: "job_unserved", Show: () => <JobStory told={unserved} stream="live" answers={[[versionKey(unserved), { workers: 0 }]]} /> },
  { id: "job_stranded", Show: () => <JobStory told={stranded} stream="live" /> },
  { id: "job_waits", Show: () => <JobStory told={waiting} stream="live" answers={[[["job", waiting.job.id, "child-counts"], CHILDREN]]} /> },
  { id: "job_cancelling", Show: () => <JobStory told={cancelling} stream="live" /> },
  { id: "job_lost", Show: () => <JobStory told={retrying} stream="lost" /> },
  { id: "errors", Show: Errors },
  { id: "notices", Show: Notices },
  { id: "buttons", Show: Buttons },
  { id: "fields", Show: Fields },
  { id: "empty", Show: Nothing },
  { id: "skeleton", Show: () => <Skeleton lines={5} /> },
  { id: "long_texts", Show: LongTexts },
];
