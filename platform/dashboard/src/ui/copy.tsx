import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "./button";

const SHOWN = 1_500;

/** Copies a text to the clipboard, and says that it has. */
export function CopyButton({ text, label }: { text: string | (() => string); label?: string }) {
  const { t } = useTranslation();
  const [done, setDone] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
    setDone(true);
    setTimeout(() => setDone(false), SHOWN);
  };
  return (
    <Button small tone="quiet" icon={done ? Check : Copy} onClick={() => void copy()}>
      <span aria-live="polite">{done ? t("action.copied") : (label ?? t("action.copy"))}</span>
    </Button>
  );
}

/** An id, short, that can be copied whole. */
export function ShortId({ id }: { id: string }) {
  return (
    <span className="font-mono text-[0.85em] text-soft" title={id}>
      {id.slice(-8)}
    </span>
  );
}
