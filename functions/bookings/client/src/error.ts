/**
 * Why a subscription ended, or was not taken:
 *
 * - `forbidden`: this person may not follow this channel;
 * - `invalid`: the channel or the address is none;
 * - `too_many_subscriptions`: more than 10 connections of 10 channels;
 * - `unauthorized`: there is no token, or it has expired and cannot be renewed;
 * - `refused`: no connection ever came about, see `SubscriptionError.message`.
 */
export type ErrorCode = "forbidden" | "invalid" | "too_many_subscriptions" | "unauthorized" | "refused";

/** The end of a subscription. What passes by itself is never told as one. */
export class SubscriptionError extends Error {
  override readonly name = "SubscriptionError";

  constructor(
    readonly code: ErrorCode,
    message: string,
  ) {
    super(message);
  }
}

/** Shows an error of a callback to whoever looks after the page; it is no reason to stop the stream. */
export function report(error: unknown): void {
  if (typeof globalThis.reportError === "function") globalThis.reportError(error);
  else console.error(error);
}
