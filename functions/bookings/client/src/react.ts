import { bookingSubscriptionManager } from "./index.js";
import type { BookingEvent } from "./events.js";
import type { Callback, Options } from "./listener.js";
import type { BookingSubscriptions, Unsubscribe } from "./subscriptions.js";

/** As much of React as is used. */
export interface ReactHooks {
  useState<S>(initial: S): [S, (next: S | ((was: S) => S)) => void];
  useEffect(effect: () => void | (() => void), dependencies: readonly unknown[]): void;
  useCallback<F extends () => void>(callback: F, dependencies: readonly unknown[]): F;
}

export interface HookOptions {
  /** How many of the latest events are kept. */
  readonly maxEvents?: number;
  /** The last number that is known already; read when the component mounts or the id changes. */
  readonly since?: number;
}

export interface BookingEvents {
  /** The latest, newest first. */
  readonly events: readonly BookingEvent[];
  /** Whether what happens is heard as it happens. */
  readonly isConnected: boolean;
  /** Why it ended, in words. */
  readonly error: string | null;
  /** Empties `events`; what happens from now on is heard as before. */
  readonly clearEvents: () => void;
}

type Id = string | null | undefined;
type Subscribe = (callback: Callback, options: Options) => Unsubscribe;

/**
 * The hooks, made of your React: `export const { useBookingEvents } = bookingHooks(React)`.
 * While an id is empty, nothing is followed.
 */
export function bookingHooks(react: ReactHooks, manager: BookingSubscriptions = bookingSubscriptionManager) {
  function useEvents(key: string | null, subscribe: Subscribe, { maxEvents = 100, since }: HookOptions): BookingEvents {
    const [events, setEvents] = react.useState<readonly BookingEvent[]>([]);
    const [isConnected, setConnected] = react.useState(false);
    const [error, setError] = react.useState<string | null>(null);

    react.useEffect(() => {
      setEvents([]);
      setConnected(false);
      setError(null);
      if (key === null) return undefined;
      try {
        return subscribe((event) => setEvents((earlier) => [event, ...earlier].slice(0, maxEvents)), {
          onStatus: (status) => setConnected(status === "live"),
          onError: ({ message }) => setError(message),
          ...(since === undefined ? {} : { since }),
        });
      } catch (refusal) {
        setError(refusal instanceof Error ? refusal.message : String(refusal));
        return undefined;
      }
    }, [key, maxEvents]);

    const clearEvents = react.useCallback(() => setEvents([]), []);
    return { events, isConnected, error, clearEvents };
  }

  return {
    /** The events of one booking. */
    useBookingEvents: (bookingId: Id, options: HookOptions = {}) =>
      useEvents(bookingId || null, (...of) => manager.subscribeToBookingEvents(bookingId ?? "", ...of), options),
    /** The events of a user's bookings. */
    useUserBookingEvents: (userId: Id, options: HookOptions = {}) =>
      useEvents(userId || null, (...of) => manager.subscribeToUserBookingEvents(userId ?? "", ...of), options),
    /** The events of a provider's bookings. */
    useProviderBookingEvents: (providerId: Id, options: HookOptions = {}) =>
      useEvents(providerId || null, (...of) => manager.subscribeToProviderBookingEvents(providerId ?? "", ...of), options),
    /** The events of all bookings: for owners. */
    useTenantBookingEvents: (options: HookOptions = {}) =>
      useEvents("tenant", (...of) => manager.subscribeToTenantBookingEvents(...of), options),
  };
}
