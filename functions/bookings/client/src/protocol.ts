import type { BookingEventPayload, ChannelName } from "./events.js";

/** What a client says. Without `since`, a subscription begins with the next event; 0 is the beginning. */
export type ClientMessage =
  | { readonly action: "subscribe"; readonly channel: ChannelName; readonly since?: number }
  | { readonly action: "unsubscribe"; readonly channel: ChannelName }
  | { readonly action: "ping" };

/** The events above `since` follow, then the stream; `head` is the channel's last number. */
export interface Subscribed {
  readonly type: "subscribed";
  readonly channel: string;
  readonly since: number;
  readonly head: number;
  readonly expires_at?: string;
}

export interface EventMessage {
  readonly type: "event";
  readonly channel: string;
  readonly number: number;
  readonly event: BookingEventPayload;
}

export interface Unsubscribed {
  readonly type: "unsubscribed";
  readonly channel: string;
}

/** `heads`: the last number of every channel that the server has for this connection. */
export interface Pong {
  readonly type: "pong";
  readonly heads: Readonly<Record<string, number>>;
  readonly at?: string;
  readonly expires_at?: string;
}

/** The connection will be closed: for its age, with the token that opened it, or unless the client says something. */
export interface Closing {
  readonly type: "closing";
  readonly reason: "two_hours" | "token_expired" | "idle" | (string & {});
  readonly closes_at?: string;
  readonly detail?: string;
}

export interface ErrorMessage {
  readonly type: "error";
  readonly code: "invalid" | "forbidden" | "too_many_subscriptions" | "unavailable" | (string & {});
  readonly detail: string;
  readonly channel?: string;
}

/** What a server says. */
export type ServerMessage = Subscribed | EventMessage | Unsubscribed | Pong | Closing | ErrorMessage;

/** A frame as a message; `undefined` for one of another kind, such as the gateway's own "Internal server error". */
export function read(frame: unknown): ServerMessage | undefined {
  const message = parsed(frame);
  const { type, channel, since, head, number, event, heads, reason, code, detail } = message;
  const known =
    (type === "subscribed" && isText(channel) && isNumber(since) && isNumber(head)) ||
    (type === "event" && isText(channel) && isNumber(number) && isObject(event)) ||
    (type === "unsubscribed" && isText(channel)) ||
    (type === "pong" && isObject(heads) && Object.values(heads).every(isNumber)) ||
    (type === "closing" && isText(reason)) ||
    (type === "error" && isText(code) && isText(detail) && (channel === undefined || isText(channel)));
  return known ? (message as unknown as ServerMessage) : undefined;
}

function parsed(frame: unknown): Record<string, unknown> {
  if (typeof frame !== "string") return {};
  try {
    const value: unknown = JSON.parse(frame);
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
}

const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
