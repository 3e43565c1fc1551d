import { afterEach, beforeEach } from "node:test";

import {
  createBookingSubscriptions,
  type BookingEvent,
  type BookingSubscriptions,
  type Gap,
  type Options,
  type Settings,
  type Status,
  type SubscriptionError,
} from "crossdock-bookings";

import { Backend } from "./backend.js";
import { moveOn, standStill } from "./clock.js";

/** What a subscription was told. */
export class Ear {
  readonly events: BookingEvent[] = [];
  readonly statuses: Status[] = [];
  readonly errors: SubscriptionError[] = [];
  readonly gaps: Gap[] = [];

  readonly callback = (event: BookingEvent): void => {
    this.events.push(event);
  };

  options(options: Options = {}): Options {
    return {
      onStatus: (status) => this.statuses.push(status),
      onError: (error) => this.errors.push(error),
      onGap: (gap) => this.gaps.push(gap),
      ...options,
    };
  }

  get numbers(): number[] {
    return this.events.map(({ number }) => number);
  }
}

/** A back end, and a client of it. */
export class World {
  readonly backend = new Backend();
  readonly client: BookingSubscriptions;

  constructor(settings: Partial<Settings> = {}) {
    const { WebSocket } = this.backend;
    this.client = createBookingSubscriptions({ url: "wss://live.example/prod", token: "t", WebSocket, ...settings });
  }

  /** Follows a booking. */
  follow(booking: string, options?: Options): Ear & { unsubscribe: () => void } {
    const ear = new Ear();
    const unsubscribe = this.client.subscribeToBookingEvents(booking, ear.callback, ear.options(options));
    return Object.assign(ear, { unsubscribe });
  }
}

/** Each test has its own time. */
export function withOwnTime(): void {
  beforeEach(standStill);
  afterEach(moveOn);
}

/** 1, 2, … up to that number. */
export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}
