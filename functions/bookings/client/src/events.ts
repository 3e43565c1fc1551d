/** A row of the booking system, as it came. */
export type Row = Readonly<Record<string, unknown>>;

/** What is known of the booking that an event is about. */
export interface BookingDetails {
  readonly id?: string;
  readonly booking_number?: string;
  readonly client_id?: string;
  readonly provider_id?: string;
  readonly status?: string;
  readonly total_price?: number;
  readonly [field: string]: unknown;
}

/** Who booked. */
export interface ClientInfo {
  readonly id?: string;
  readonly name?: string;
  readonly email?: string;
  readonly [field: string]: unknown;
}

/** Who provides. */
export interface ProviderInfo extends ClientInfo {
  readonly company_name?: string;
}

/** An event as webhooks deliver it, and as the history over HTTP tells it. */
export interface BookingEventPayload {
  /** The same in every channel and at every delivery. */
  readonly event_id: string;
  /** What a row of `booking_events` calls itself; otherwise the same as `type`. */
  readonly event_type: string;
  /** `booking.` or `booking_event.`, with `created`, `updated` or `deleted`. */
  readonly type: string;
  /** When it happened (RFC 3339). */
  readonly event_time: string;
  readonly source: string;
  /** `reconciled`: nobody reported it, it was found by comparing with the source. */
  readonly origin?: "live" | "reconciled";
  readonly trace_id: string;
  readonly operation?: "INSERT" | "UPDATE" | "DELETE";
  /** The table whose row changed. */
  readonly table?: string;
  /** The row; the one that was, if it is deleted. */
  readonly booking_event?: Row;
  /** The row before an update. */
  readonly old_record?: Row;
  readonly booking_details?: BookingDetails;
  readonly client_info?: ClientInfo;
  readonly provider_info?: ProviderInfo;
  /** Which of the three above are not known. */
  readonly missing_context?: readonly string[];
  readonly system: {
    readonly environment: string;
    readonly timestamp: string;
    readonly user_agent?: string;
    readonly ip_address?: string;
  };
  /** The event is above 100 kB: its rows are not sent, read them from the history over HTTP. */
  readonly truncated?: boolean;
}

/** `booking:<id>`, `user:<id>`, `provider:<id>`, or all of the tenant. */
export type ChannelName = `booking:${string}` | `user:${string}` | `provider:${string}` | "tenant";

/** An event as a callback gets it. */
export interface BookingEvent extends BookingEventPayload {
  /** The same as `event_id`. */
  readonly id: string;
  /** Its number in the channel: one more than the one before. */
  readonly number: number;
  /** Where it was heard. */
  readonly channel: ChannelName;
  /** What the row says in words, where it says something. */
  readonly description?: string;
}

/** The event with that number in that channel. */
export function numbered(channel: ChannelName, number: number, payload: BookingEventPayload): BookingEvent {
  const description = payload.booking_event?.["description"];
  return {
    ...payload,
    id: payload.event_id,
    number,
    channel,
    ...(typeof description === "string" ? { description } : {}),
  };
}
