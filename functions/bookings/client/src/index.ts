import type { Callback, Options } from "./listener.js";
import type { Settings } from "./settings.js";
import { BookingSubscriptions, type Unsubscribe } from "./subscriptions.js";

export { SubscriptionError, type ErrorCode } from "./error.js";
export type * from "./events.js";
export type { Callback, Gap, Options, Status } from "./listener.js";
export type * from "./protocol.js";
export type { Settings, WebSocketConstructor, WebSocketLike } from "./settings.js";
export { BookingSubscriptions, type Unsubscribe } from "./subscriptions.js";

/** The subscriptions of the functions below. */
export const bookingSubscriptionManager = new BookingSubscriptions();

/** Subscriptions of their own: for tests, and where there are several back ends. */
export function createBookingSubscriptions(settings: Settings): BookingSubscriptions {
  const subscriptions = new BookingSubscriptions();
  subscriptions.configure(settings);
  return subscriptions;
}

/** Where to connect, and as whom: once, before the first subscription. Later calls count from the next connect on. */
export function configure(settings: Settings): void {
  bookingSubscriptionManager.configure(settings);
}

/** Follows the events of one booking. */
export function subscribeToBookingEvents(bookingId: string, callback: Callback, options?: Options): Unsubscribe {
  return bookingSubscriptionManager.subscribeToBookingEvents(bookingId, callback, options);
}

/** Follows the events of a user's bookings. */
export function subscribeToUserBookingEvents(userId: string, callback: Callback, options?: Options): Unsubscribe {
  return bookingSubscriptionManager.subscribeToUserBookingEvents(userId, callback, options);
}

/** Follows the events of a provider's bookings. */
export function subscribeToProviderBookingEvents(
  providerId: string,
  callback: Callback,
  options?: Options,
): Unsubscribe {
  return bookingSubscriptionManager.subscribeToProviderBookingEvents(providerId, callback, options);
}

/** Follows the events of all bookings: for owners. */
export function subscribeToTenantBookingEvents(callback: Callback, options?: Options): Unsubscribe {
  return bookingSubscriptionManager.subscribeToTenantBookingEvents(callback, options);
}
