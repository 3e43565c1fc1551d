/** Milliseconds. */
export const second = 1_000;
export const minute = 60 * second;

/** How long to wait after so many failures in a row: anything up to 1 s, 2 s, 4 s, … 30 s (full jitter). */
export function backoff(failures: number): number {
  return Math.random() * Math.min(30 * second, second * 2 ** failures);
}
