import { useTranslation } from "react-i18next";
import { useConnection } from "@/live/connection";
import type { StreamState } from "@/live/stream";
import { cx } from "@/lib/cx";

const DOTS: Record<StreamState, string> = {
  connecting: "bg-paused",
  live: "bg-good",
  lost: "bg-bad pulse-ring",
  ended: "bg-ended",
  refused: "bg-bad",
  asleep: "bg-ended",
};

/** How the tab's stream is doing, in a word. */
export function Connection() {
  return <ConnectionState state={useConnection()} />;
}

export function ConnectionState({ state }: { state: StreamState }) {
  const { t } = useTranslation();
  return (
    <span role="status" data-connection={state} className="inline-flex items-center gap-1.5 text-[0.8rem] text-soft" title={t(`connection.${state}_hint`)}>
      <span aria-hidden className={cx("size-2 rounded-full", DOTS[state])} />
      {t(`connection.${state}`)}
    </span>
  );
}
