import { minute, second } from "./backoff.js";
import { SubscriptionError, type ErrorCode } from "./error.js";
import type { BookingEventPayload, ChannelName } from "./events.js";
import type { Listener } from "./listener.js";
import type { ClientMessage, ErrorMessage, Subscribed } from "./protocol.js";

/** Numbers are given up only when the server has passed them over so often in a row, in seven seconds. */
const PASSES = 5;
/** Codes of errors that asking again does not mend. */
const FINAL: ReadonlySet<string> = new Set<ErrorCode>(["forbidden", "invalid", "too_many_subscriptions"]);

/** What a channel needs of its line. */
export interface Carrier {
  /** Says something to the server; `false` if there is no open connection. */
  send(message: ClientMessage): boolean;
  /** The server did not answer: is the connection alive at all? */
  doubt(): void;
}

/**
 * A channel of a line, and all who listen to it.
 *
 * It asks one thing at a time: the gateway may have two messages of a connection worked on at once, in any order.
 */
export class Channel {
  readonly listeners = new Set<Listener>();
  /** What the server has not answered yet. */
  #asked: ClientMessage | undefined;
  /** Whether the server may hold this subscription. */
  #held = false;
  /** Whether it has confirmed it. */
  #confirmed = false;
  /** Whether to subscribe (again). */
  #due = true;
  /** How often we asked without getting on, and how often the server then passed the next number over. */
  #tries = 0;
  #passes = 0;
  /** Whether asking again is only a matter of time. */
  #retrying = false;
  /** The last number that we know of, and the last that the server promised to send. */
  #head = 0;
  #promised = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly name: ChannelName,
    private readonly carrier: Carrier,
  ) {}

  /** Nobody listens, and the server knows. */
  get over(): boolean {
    return this.listeners.size === 0 && !this.#held && !this.#asked;
  }

  /** Nothing more is to be said before events come. */
  get settled(): boolean {
    return this.listeners.size === 0 || this.#confirmed;
  }

  add(listener: Listener): void {
    this.listeners.add(listener);
    this.#due = true;
  }

  /** Another connection, whose server knows nothing of this channel. */
  restart(): void {
    this.#stop();
    this.#asked = undefined;
    this.#held = this.#confirmed = false;
    this.#due = true;
    this.#tries = this.#passes = 0;
  }

  /** Says to the server what is to be said now. */
  settle(): void {
    if (this.#asked || this.#retrying) return;
    if (this.listeners.size === 0) {
      if (this.#held) this.#ask({ action: "unsubscribe", channel: this.name });
    } else if (this.#due) {
      const since = this.#since();
      this.#ask({ action: "subscribe", channel: this.name, ...(since === undefined ? {} : { since }) });
    }
  }

  subscribed({ head }: Subscribed): void {
    if (this.#asked?.action === "unsubscribe") return;
    this.#asked = undefined;
    this.#confirmed = true;
    this.#promised = head;
    this.#head = Math.max(this.#head, head);
    for (const listener of [...this.listeners]) {
      listener.begin(head);
      listener.is("live");
    }
    this.#watch();
    this.settle();
  }

  unsubscribed(): void {
    // A late answer to what we asked long ago ends a newer subscription, too: so subscribe again.
    this.restart();
    this.settle();
  }

  event(number: number, payload: BookingEventPayload): void {
    this.#head = Math.max(this.#head, number);
    let some = false;
    for (const listener of [...this.listeners]) some = listener.take(number, payload) || some;
    if (some) this.#tries = this.#passes = 0;
    if (this.#asked || !this.#confirmed) return;
    if (this.#skips()) this.#skipped(number);
    else if (some) this.#watch();
  }

  /** The last number, by the server's word; `undefined` if it knows nothing of our subscription. */
  checked(head: number | undefined): void {
    if (this.#asked || this.listeners.size === 0) return;
    this.#head = Math.max(this.#head, head ?? 0);
    if (head === undefined || this.#behind()) {
      this.#due = true;
      this.settle();
    }
  }

  failed({ code, detail }: ErrorMessage): void {
    const asked = this.#asked;
    this.#asked = undefined;
    this.#confirmed = false;
    if (!FINAL.has(code)) return this.#retry();
    this.#held = false;
    this.#stop();
    if (asked?.action === "unsubscribe") return this.settle();
    this.end(new SubscriptionError(code as ErrorCode, detail));
  }

  /** The end of all its subscriptions. */
  end(error: SubscriptionError): void {
    const listeners = [...this.listeners];
    this.listeners.clear();
    for (const listener of listeners) listener.fail(error);
  }

  #ask(message: ClientMessage): void {
    if (!this.carrier.send(message)) return;
    this.#asked = message;
    this.#held = true;
    this.#due = false;
    this.#wait(10 * second);
  }

  /** What all listeners together still need. */
  #since(): number | undefined {
    const known = [...this.listeners].flatMap(({ last }) => last ?? []);
    return known.length > 0 ? Math.min(...known) : undefined;
  }

  #behind(): boolean {
    return [...this.listeners].some(({ last }) => last !== undefined && last < this.#head);
  }

  #skips(): boolean {
    return [...this.listeners].some((listener) => listener.skips);
  }

  /** A later number came before the next one: perhaps only swapped, perhaps passed over, perhaps gone for good. */
  #skipped(number: number): void {
    if (this.#retrying) return;
    if (number <= this.#promised) this.#passes += 1;
    if (this.#passes < PASSES) return this.#retry();
    for (const listener of [...this.listeners]) listener.giveUpMissing();
    this.#tries = this.#passes = 0;
    this.#watch();
  }

  /** Asks again soon, and less soon each time. */
  #retry(): void {
    this.#wait(this.#tries === 0 ? second / 4 : Math.min(second * 2 ** (this.#tries - 1), 30 * second));
    this.#retrying = true;
  }

  /** While events are out, asks again if they stay out. */
  #watch(): void {
    if (this.#behind()) this.#wait(Math.min(10 * second * 2 ** this.#tries, 4 * minute));
    else this.#stop();
  }

  #wait(delay: number): void {
    this.#stop();
    this.#timer = setTimeout(() => {
      this.#retrying = false;
      if (this.#asked) this.carrier.doubt();
      this.#asked = undefined;
      this.#tries += 1;
      this.#due = true;
      this.settle();
    }, delay);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#retrying = false;
  }
}
