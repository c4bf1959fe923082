import { Link } from "@tanstack/react-router";
import { CircleStop, GitFork, Pause, Play, Repeat2, RotateCcw } from "lucide-react";
import { useTranslation } from "react-i18next";
import type { Job } from "@/api/client";
import { useMay } from "@/session/session";
import { Button, buttonClass } from "@/ui/button";
import { useActions } from "./context";
import { movesOf } from "./moves";

/** Buttons for what may be done to the job in the state it is in. */
export function Actions({ job }: { job: Job }) {
  const { t } = useTranslation("job");
  const may = useMay("submit");
  const { open, pause, resume, busy } = useActions();
  if (!may) return <p className="text-sm text-soft">{t("act.may_not")}</p>;
  const moves = movesOf(job);
  return (
    <>
      {moves.has("resume") && (
        <Button tone="primary" icon={Play} busy={busy} onClick={resume}>
          {t("act.resume")}
        </Button>
      )}
      {moves.has("retry") && (
        <Button icon={RotateCcw} onClick={() => open("retry")}>
          {t("act.retry")}
        </Button>
      )}
      {moves.has("fork") && (
        <Button icon={GitFork} onClick={() => open("fork")}>
          {t("act.fork")}
        </Button>
      )}
      <Link to="/submit/$workflow" params={{ workflow: job.workflow }} search={{ from: job.id }} className={buttonClass()}>
        <Repeat2 aria-hidden size={16} /> {t("act.again")}
      </Link>
      {moves.has("pause") && (
        <Button icon={Pause} busy={busy} onClick={pause}>
          {t("act.pause")}
        </Button>
      )}
      {moves.has("cancel") && (
        <Button tone="danger" icon={CircleStop} onClick={() => open("cancel")}>
          {t("act.cancel")}
        </Button>
      )}
    </>
  );
}
