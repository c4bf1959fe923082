import type { JobEvent } from "@/api/client";
import { JobModel } from "./model";

/** A journal written down short: `[seconds, attempt, type, step?, data?]`. */
export type Line = [number, number, string, (string | null)?, Record<string, unknown>?];

export function journal(...lines: Line[]): JobEvent[] {
  return lines.map(([second, attempt, type, step, data], index) => ({
    seq: index + 1,
    attempt,
    type,
    step: step ?? null,
    data: data ?? {},
    at: new Date(Date.UTC(2026, 0, 1) + second * 1_000).toISOString(),
  }));
}
/** When every journal that is written down so begins. */
export const T0 = Date.UTC(2026, 0, 1);

export function modelOf(...lines: Line[]): JobModel {
  const model = new JobModel();
  model.take(journal(...lines));
  return model;
}
