import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/format";
import { Button } from "./button";
import { CodeBox } from "./code-box";

const SHOWN = 20_000;

/** A value as indented JSON; a large one is cut until somebody wants it whole. */
export function Json({ value, label }: { value: unknown; label: string }) {
  const { t } = useTranslation();
  const format = useFormat();
  const text = useMemo(() => JSON.stringify(value, null, 2) ?? "null", [value]);
  const [whole, setWhole] = useState(false);
  const cut = !whole && text.length > SHOWN;
  return (
    <CodeBox label={label} text={text} shown={cut ? text.slice(0, SHOWN) : text} wrap>
      {cut && (
        <div className="border-t border-line p-2">
          <Button small onClick={() => setWhole(true)}>
            {t("action.show_all", { size: format.bytes(text.length) })}
          </Button>
        </div>
      )}
    </CodeBox>
  );
}
