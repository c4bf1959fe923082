import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "./button";
import { CopyButton } from "./copy";

const SHOWN = 20_000;

/** A value as indented JSON; a large one is cut until somebody wants it whole. */
export function Json({ value, label }: { value: unknown; label: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "null", [value]);
  const [whole, setWhole] = useState(false);
  const cut = !whole && text.length > SHOWN;
  return (
    <div className="overflow-hidden rounded-md border border-line bg-sunken">
      <div className="flex items-center justify-between border-b border-line py-0.5 pr-1 pl-3">
        <span className="text-[0.8rem] text-soft">{label}</span>
        <CopyButton text={text} />
      </div>
      <pre tabIndex={0} aria-label={label} className="max-h-96 overflow-auto p-3 font-mono text-[0.8rem] leading-relaxed break-words whitespace-pre-wrap">
        {cut ? text.slice(0, SHOWN) : text}
      </pre>
      {cut && (
        <div className="border-t border-line p-2">
          <Button small onClick={() => setWhole(true)}>
            {t("action.show_all", { size: format.bytes(text.length) })}
          </Button>
        </div>
      )}
    </div>
  );
}
