import { report, type SubscriptionError } from "./error.js";
import { numbered, type BookingEvent, type BookingEventPayload, type ChannelName } from "./events.js";

/** `live`: what happens is heard as it happens. `connecting`: it will be heard later. `ended`: see `onError`. */
export type Status = "connecting" | "live" | "ended";

/** Numbers that the back end no longer has: those above `after` and below `next`. */
export interface Gap {
  readonly channel: ChannelName;
  readonly after: number;
  readonly next: number;
}

export type Callback = (event: BookingEvent) => void;

export interface Options {
  /** The last number that is known already: those above it come first. 0 is the beginning; without it, from now on. */
  readonly since?: number;
  /** Told at each change. Begins as `connecting`, untold. */
  readonly onStatus?: (status: Status) => void;
  /** Told once, when the subscription is over for a reason that does not pass by itself. */
  readonly onError?: (error: SubscriptionError) => void;
  /** Told when numbers are missing for good. */
  readonly onGap?: (gap: Gap) => void;
}

/** So many events that came before their turn are kept; more would be asked for again. */
const MOST_EARLY = 1_000;

/** One callback on a channel: hands over every number once, in order. */
export class Listener {
  readonly #early = new Map<number, BookingEventPayload>();
  #last: number | undefined;
  #status: Status = "connecting";
  #active = true;

  constructor(
    readonly channel: ChannelName,
    private readonly callback: Callback,
    private readonly options: Options,
  ) {
    this.#last = options.since;
  }

  /** The last number that was handed over; `undefined` until it is known where "from now on" begins. */
  get last(): number | undefined {
    return this.#last;
  }

  /** Whether it still wants to hear. */
  get active(): boolean {
    return this.#active;
  }

  /** Whether a later number is here while the next one is not. */
  get skips(): boolean {
    return this.#last !== undefined && this.#early.size > 0;
  }

  /** From here on, if it is not known yet. */
  begin(head: number): void {
    if (this.#last !== undefined) return;
    this.#last = head;
    for (const number of this.#early.keys()) if (number <= head) this.#early.delete(number);
    this.#handOver();
  }

  /** Takes an event, and tells whether it, or those that waited for it, could be handed over. */
  take(number: number, payload: BookingEventPayload): boolean {
    const next = (this.#last ?? -1) + 1;
    if (!this.#active || number < next) return false;
    if (number === next || this.#early.size < MOST_EARLY) this.#early.set(number, payload);
    return this.#handOver();
  }

  /** Gives up the numbers before the first that is here. */
  giveUpMissing(): void {
    if (!this.#active || this.#last === undefined || this.#early.size === 0) return;
    const gap = { channel: this.channel, after: this.#last, next: Math.min(...this.#early.keys()) };
    this.#last = gap.next - 1;
    guarded(() => this.options.onGap?.(gap));
    this.#handOver();
  }

  is(status: Status): void {
    if (!this.#active || this.#status === status) return;
    this.#status = status;
    guarded(() => this.options.onStatus?.(status));
  }

  /** Nothing is handed over or told from now on. */
  end(): void {
    this.#active = false;
    this.#early.clear();
  }

  /** Ends, and says why. */
  fail(error: SubscriptionError): void {
    if (!this.#active) return;
    this.is("ended");
    this.end();
    if (this.options.onError) guarded(() => this.options.onError?.(error));
    else report(error);
  }

  #handOver(): boolean {
    let some = false;
    while (this.#active && this.#last !== undefined) {
      const number: number = this.#last + 1;
      const payload = this.#early.get(number);
      if (!payload) break;
      // Handed over is handed over, whatever the callback makes of it.
      this.#early.delete(number);
      this.#last = number;
      some = true;
      guarded(() => this.callback(numbered(this.channel, number, payload)));
    }
    return some;
  }
}

function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}
