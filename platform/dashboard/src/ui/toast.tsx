import { useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { ApiError } from "@/api/client";
import { cx } from "@/lib/cx";

interface Message {
  id: number;
  text: ReactNode;
  bad: boolean;
}

let messages: Message[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(now: Message[]): void {
  messages = now;
  for (const listener of listeners) listener();
}

/** Say in the corner what has been done. */
export function toast(text: ReactNode): void {
  set([...messages, { id: next++, text, bad: false }]);
}

/** Say in the corner what could not be done, and why. */
export function toastError(error: unknown): void {
  const text = error instanceof ApiError ? error.detail : String(error);
  set([...messages, { id: next++, text, bad: true }]);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** What was said in the last seconds. Regions of their own, which are there before anything is said: a screen reader tells it. */
export function Toasts() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(subscribe, () => messages);
  return (
    <section
      aria-label={t("notifications")}
      className="fixed right-4 bottom-20 z-50 flex w-80 max-w-[calc(100vw-2rem)] flex-col gap-2 sm:bottom-4"
    >
      <div role="status" className="contents">
        {shown.filter((message) => !message.bad).map((message) => <Toast key={message.id} message={message} />)}
      </div>
      <div role="alert" className="contents">
        {shown.filter((message) => message.bad).map((message) => <Toast key={message.id} message={message} />)}
      </div>
    </section>
  );
}

const SHOWN_MS = 6_000;

function Toast({ message }: { message: Message }) {
  const { t } = useTranslation();
  const [read, setRead] = useState(false);
  const close = () => set(messages.filter((each) => each.id !== message.id));
  // It stays while somebody is at it.
  useEffect(() => {
    if (read) return;
    const timer = setTimeout(() => set(messages.filter((each) => each.id !== message.id)), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [read, message.id]);
  return (
    <div
      onPointerEnter={() => setRead(true)}
      onPointerLeave={() => setRead(false)}
      onFocus={() => setRead(true)}
      onBlur={() => setRead(false)}
      className={cx("flex items-start gap-3 rounded-lg border bg-surface p-3 text-sm shadow-card", message.bad ? "border-bad text-bad" : "border-line")}
    >
      <p className="min-w-0 flex-1 break-words">{message.text}</p>
      <button type="button" onClick={close} className="font-medium text-soft hover:text-ink">
        {t("action.close")}
      </button>
    </div>
  );
}
