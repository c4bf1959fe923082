import { useTranslation } from "react-i18next";
import { usePreferences } from "./preferences";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const UNITS: [number, Intl.RelativeTimeFormatUnit][] = [
  [DAY, "day"],
  [HOUR, "hour"],
  [MINUTE, "minute"],
  [SECOND, "second"],
];

const numbers = new Map<string, Intl.NumberFormat>();

function decimals(locale: string, digits: number): Intl.NumberFormat {
  const key = `${locale} ${digits}`;
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    numbers.set(key, format);
  }
  return format;
}

/** `0.42 s`, `12 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`: the unit and the one below. */
export function duration(milliseconds: number, locale: string): string {
  const n = (value: number, digits: 0 | 1 = 0) => decimals(locale, digits).format(value);
  const ms = Math.max(0, milliseconds);
  if (ms < SECOND) return `${n(ms)} ms`;
  if (ms < 10 * SECOND) return `${n(ms / SECOND, 1)} s`;
  if (ms < MINUTE) return `${n(ms / SECOND)} s`;
  if (ms < HOUR) return `${n(Math.floor(ms / MINUTE))} min ${String(Math.floor((ms % MINUTE) / SECOND)).padStart(2, "0")} s`;
  if (ms < DAY) return `${n(Math.floor(ms / HOUR))} h ${String(Math.floor((ms % HOUR) / MINUTE)).padStart(2, "0")} min`;
  return `${n(Math.floor(ms / DAY))} d ${Math.floor((ms % DAY) / HOUR)} h`;
}

export function bytes(count: number, locale: string): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = count;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value.toLocaleString(locale, { maximumFractionDigits: unit > 0 && value < 10 ? 1 : 0 })} ${units[unit]}`;
}

export function relative(at: number, now: number, locale: string): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  const away = at - now;
  for (const [size, unit] of UNITS) {
    if (Math.abs(away) >= size) return format.format(Math.trunc(away / size), unit);
  }
  return format.format(0, "second");
}

/** Times, durations and numbers in the chosen language and time zone. */
export function useFormat(): Format {
  const { i18n } = useTranslation();
  const { zone } = usePreferences();
  return formatOf(i18n.language, zone);
}

export type Format = ReturnType<typeof make>;
// One for all that ask: to make one takes longer than to draw a row.
const made = new Map<string, Format>();

function formatOf(locale: string, zone: string): Format {
  const key = `${locale} ${zone}`;
  let format = made.get(key);
  if (!format) {
    format = make(locale, zone);
    made.set(key, format);
  }
  return format;
}

function make(locale: string, zone: string) {
  const timeZone = zone === "local" ? undefined : zone;
  const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", timeZone });
  const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone });
  const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium", timeZone });
  const exact = new Intl.DateTimeFormat(locale, {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
    timeZone,
  });
  const number = new Intl.NumberFormat(locale);
  return {
    locale,
    full: (at: string | number | Date) => full.format(new Date(at)),
    day: (at: string | number | Date) => day.format(new Date(at)),
    clock: (at: string | number | Date) => clock.format(new Date(at)),
    exact: (at: string | number | Date) => exact.format(new Date(at)),
    duration: (milliseconds: number) => duration(milliseconds, locale),
    relative: (at: string | number | Date, now: number) => relative(new Date(at).getTime(), now, locale),
    bytes: (count: number) => bytes(count, locale),
    number: (value: number) => number.format(value),
    // One call of a small model costs less than any coin: what is small keeps two digits that say something.
    money: (value: number) =>
      value.toLocaleString(locale, value < 0.01 ? { maximumSignificantDigits: 2 } : { maximumFractionDigits: 4 }),
  };
}
