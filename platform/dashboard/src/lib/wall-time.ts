// What `<input type="datetime-local">` holds, in the chosen time zone instead of the browser's.

const PARTS: Intl.DateTimeFormatOptions = {
  year: "numeric",
  month: "2-digit",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
};

function wall(at: number, zone: string): string {
  const format = new Intl.DateTimeFormat("en-CA", { ...PARTS, timeZone: zone === "local" ? undefined : zone });
  const part = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/** A moment as the clock on the wall shows it in `zone` (`local`, `UTC`, or a name of the time zone database). */
export function toWallTime(at: string, zone: string): string {
  const moment = Date.parse(at);
  return Number.isNaN(moment) ? "" : wall(moment, zone).slice(0, 16);
}

/** The moment at which the clock on the wall of `zone` shows this; null when it is no time. */
export function fromWallTime(text: string, zone: string): string | null {
  const wanted = Date.parse(`${text}Z`);
  if (Number.isNaN(wanted)) return null;
  let moment = wanted;
  // Twice, as the first guess may be on the other side of a change of the clocks.
  for (let turn = 0; turn < 2; turn += 1) moment += wanted - Date.parse(`${wall(moment, zone)}Z`);
  return new Date(moment).toISOString().replace(".000Z", "Z");
}
