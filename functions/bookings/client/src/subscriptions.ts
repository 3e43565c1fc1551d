import { SubscriptionError } from "./error.js";
import type { ChannelName } from "./events.js";
import { Line } from "./line.js";
import { Listener, type Callback, type Options } from "./listener.js";
import { checked, socketsOf, type Settings } from "./settings.js";

/** The server takes no more connections of one person. */
const LINES = 10;

/** Ends a subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

/** Subscriptions to booking events of one back end, which share their connections. */
export class BookingSubscriptions {
  readonly #lines = new Set<Line>();
  #settings: Settings | undefined;

  /** Where to connect, and as whom, from the next connect on. */
  configure(settings: Settings): void {
    this.#settings = checked(settings);
  }

  /** The events of one booking. */
  subscribeToBookingEvents(bookingId: string, callback: Callback, options?: Options): Unsubscribe {
    return this.#subscribe(`booking:${given(bookingId)}`, callback, options);
  }

  /** The events of a user's bookings. */
  subscribeToUserBookingEvents(userId: string, callback: Callback, options?: Options): Unsubscribe {
    return this.#subscribe(`user:${given(userId)}`, callback, options);
  }

  /** The events of a provider's bookings. */
  subscribeToProviderBookingEvents(providerId: string, callback: Callback, options?: Options): Unsubscribe {
    return this.#subscribe(`provider:${given(providerId)}`, callback, options);
  }

  /** The events of all bookings of the tenant: for its owners. */
  subscribeToTenantBookingEvents(callback: Callback, options?: Options): Unsubscribe {
    return this.#subscribe("tenant", callback, options);
  }

  /** How many subscriptions there are. */
  getActiveSubscriptionCount(): number {
    return this.#listeners().length;
  }

  /** The channel of each subscription: `booking:<id>`, `user:<id>`, `provider:<id>` or `tenant`. */
  getActiveSubscriptions(): ChannelName[] {
    return this.#listeners().map(({ channel }) => channel);
  }

  /** Ends all subscriptions, and with them the connections. */
  unsubscribeAll(): void {
    for (const line of this.#lines) {
      for (const { listeners } of line.channels.values()) {
        for (const listener of [...listeners]) drop(line, listener);
      }
    }
  }

  #subscribe(name: ChannelName, callback: Callback, options: Options = {}): Unsubscribe {
    if (!this.#settings) throw new TypeError("not configured: call configure({ url, token }) first");
    socketsOf(this.#settings);
    if (options.since !== undefined && !(Number.isSafeInteger(options.since) && options.since >= 0)) {
      throw new TypeError(`since must be the number of an event, or 0, not ${options.since}`);
    }
    const listener = new Listener(name, callback, options);
    const line = this.#lineFor(name);
    line.join(listener);
    return () => drop(line, listener);
  }

  #lineFor(name: ChannelName): Line {
    const lines = [...this.#lines];
    const found = lines.find(({ channels }) => channels.has(name)) ?? lines.find(({ hasRoom }) => hasRoom);
    if (found) return found;
    if (lines.length >= LINES) {
      throw new SubscriptionError("too_many_subscriptions", "at most 100 channels can be followed at once");
    }
    const line = new Line(
      () => this.#settings as Settings,
      (closed) => this.#lines.delete(closed),
    );
    this.#lines.add(line);
    return line;
  }

  #listeners(): Listener[] {
    const channels = [...this.#lines].flatMap((line) => [...line.channels.values()]);
    return channels.flatMap(({ listeners }) => [...listeners]);
  }
}

function drop(line: Line, listener: Listener): void {
  if (!listener.active) return;
  listener.end();
  line.leave(listener);
}

function given(id: string): string {
  if (typeof id !== "string" || id === "") throw new TypeError("an id must be a text of at least one character");
  return id;
}
