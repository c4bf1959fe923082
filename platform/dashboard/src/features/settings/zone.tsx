import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { setPreference, usePreferences } from "@/lib/preferences";
import { Field, Input } from "@/ui/field";
import { folded } from "@/features/knowledge/words";

const SHOWN = 60;
const FIXED = ["local", "UTC"];

const local = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The time zone, from a list one types in. */
export function ZoneField() {
  const { t } = useTranslation("settings");
  const { zone } = usePreferences();
  const name = (value: string) => (value === "local" ? t("zone.local", { zone: local() }) : value.replaceAll("_", " "));
  const [word, setWord] = useState<string | null>(null);
  const [active, setActive] = useState(0);
  const zones = useMemo(() => [...FIXED, ...Intl.supportedValuesOf("timeZone").filter((each) => each !== "UTC")], []);
  const wanted = folded(word ?? "").trim();
  const found = zones.filter((each) => folded(name(each)).includes(wanted)).slice(0, SHOWN);
  const open = word !== null;
  const choose = (value: string | undefined) => {
    if (value !== undefined) setPreference("zone", value);
    setWord(null);
  };
  return (
    <Field label={t("zone.label")} hint={t("zone.hint")} className="relative mb-0!">
      {(control) => (
        <>
          <Input
            {...control}
            role="combobox"
            aria-expanded={open}
            aria-controls={`${control.id}-list`}
            aria-autocomplete="list"
            aria-activedescendant={open && found.length > 0 ? `${control.id}-${active}` : undefined}
            autoComplete="off"
            spellCheck={false}
            value={word ?? name(zone)}
            onFocus={(event) => {
              setWord("");
              setActive(0);
              event.target.select();
            }}
            placeholder={name(zone)}
            onBlur={() => setWord(null)}
            onChange={(event) => {
              setWord(event.target.value);
              setActive(0);
            }}
            onKeyDown={(event) => {
              if (event.key === "ArrowDown" || event.key === "ArrowUp") {
                event.preventDefault();
                if (!open) return setWord("");
                setActive((now) => Math.max(0, Math.min(found.length - 1, now + (event.key === "ArrowDown" ? 1 : -1))));
              } else if (event.key === "Enter" && open) choose(found[active]);
              else if (event.key === "Escape") setWord(null);
            }}
          />
          {open && (
            <ul id={`${control.id}-list`} role="listbox" aria-label={t("zone.label")} className="absolute z-20 mt-1 max-h-64 w-full overflow-auto rounded-lg border border-line bg-surface p-1 text-sm shadow-card">
              {found.map((each, index) => (
                <li
                  key={each}
                  ref={(element) => {
                    if (index === active) element?.scrollIntoView({ block: "nearest" });
                  }}
                  id={`${control.id}-${index}`}
                  role="option"
                  aria-selected={each === zone}
                  // The field would lose its focus, and the list with it, before the click.
                  onMouseDown={(event) => {
                    event.preventDefault();
                    choose(each);
                  }}
                  className={`cursor-pointer rounded-md px-2 py-1 ${index === active ? "bg-hover" : ""} ${each === zone ? "font-semibold" : ""}`}
                >
                  {name(each)}
                </li>
              ))}
              {found.length === 0 && <li className="px-2 py-1 text-soft">{t("zone.none")}</li>}
            </ul>
          )}
        </>
      )}
    </Field>
  );
}
