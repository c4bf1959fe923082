import { Monitor, Moon, Sun, type LucideIcon } from "lucide-react";
import { useTranslation } from "react-i18next";
import { useNow } from "@/lib/clock";
import { useFormat } from "@/lib/format";
import { setPreference, usePreferences, type Preferences } from "@/lib/preferences";
import { cx } from "@/lib/cx";
import { Field, Select } from "@/ui/field";
import { Card, Section } from "@/ui/layout";
import { ZoneField } from "./zone";

const THEMES: [Preferences["theme"], LucideIcon][] = [
  ["system", Monitor],
  ["light", Sun],
  ["dark", Moon],
];
// Each language in its own words: who cannot read the page finds the way out of it.
const LANGUAGES = { en: "English", "pt-BR": "Português (Brasil)" };

/** What this browser shows, applied at once. */
export function Appearance() {
  const { t } = useTranslation("settings");
  const { theme, language } = usePreferences();
  const format = useFormat();
  const now = useNow();
  return (
    <Section title={t("appearance")}>
      <Card className="grid gap-x-8 gap-y-5 md:grid-cols-2">
        <fieldset>
          <legend className="mb-1 text-sm font-medium">{t("theme.label")}</legend>
          <div className="inline-flex flex-wrap gap-1 rounded-lg border border-line bg-sunken p-1">
            {THEMES.map(([value, Icon]) => (
              <label
                key={value}
                className={cx(
                  "flex cursor-pointer items-center gap-1.5 rounded-md px-3 py-1.5 text-sm has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-focus",
                  theme === value ? "bg-surface font-medium shadow-card" : "text-soft hover:text-ink",
                )}
              >
                <input type="radio" name="theme" value={value} checked={theme === value} className="sr-only" onChange={() => setPreference("theme", value)} />
                <Icon aria-hidden size={15} />
                {t(`theme.${value}`)}
              </label>
            ))}
          </div>
        </fieldset>
        <Field label={t("language.label")} className="mb-0!">
          {(control) => (
            <Select {...control} value={language} onChange={(event) => setPreference("language", event.target.value as Preferences["language"])}>
              <option value="system">{t("language.system")}</option>
              {Object.entries(LANGUAGES).map(([value, name]) => (
                <option key={value} value={value} lang={value}>
                  {name}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <ZoneField />
        <div className="text-sm">
          <div className="mb-1 font-medium">{t("example")}</div>
          <div className="text-soft">{format.full(now)}</div>
          <div className="text-soft">
            {format.number(1_234_567.8)} · {format.bytes(32_500_000)} · {format.duration(194_000)}
          </div>
        </div>
      </Card>
    </Section>
  );
}
