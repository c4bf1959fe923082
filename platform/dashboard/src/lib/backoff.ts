const FIRST_PAUSE = 400;
export const LONGEST_PAUSE = 8_000;

/** Milliseconds to wait before the server is asked again: after so many failures before this one, longer and longer. */
export const backoff = (failures: number): number => Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures);
