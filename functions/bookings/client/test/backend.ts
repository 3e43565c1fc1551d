import type { BookingEventPayload, ClientMessage, WebSocketConstructor, WebSocketLike } from "crossdock-bookings";

/** A payload as the back end makes it. */
export function payload(id: string): BookingEventPayload {
  return {
    event_id: id,
    event_type: "booking.updated",
    type: "booking.updated",
    event_time: "2026-11-21T10:00:00Z",
    source: "contract-management-system",
    origin: "live",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    operation: "UPDATE",
    table: "bookings",
    booking_event: { id: "b1" },
    missing_context: [],
    system: { environment: "test", timestamp: "2026-11-21T10:00:00Z" },
  };
}

/**
 * The back end's side of the protocol, in memory: numbered channels, replay, and every fault on demand. What it sends
 * arrives before the next timer.
 */
export class Backend {
  /** The events of each channel; the first has the number 1. */
  readonly channels = new Map<string, BookingEventPayload[]>();
  /** Every connect that was tried, refused ones included. */
  readonly connects: Socket[] = [];
  /** So many connects from now on are refused. */
  refusing = 0;
  /** Whether connects are left open. */
  hanging = false;
  /** Whether messages of clients are left unanswered. */
  mute = false;
  /** Channels that are answered with an error. */
  readonly errors = new Map<string, { code: string; detail: string }>();
  /** Numbers that the history has lost, by channel. */
  readonly lost = new Map<string, Set<number>>();

  readonly WebSocket: WebSocketConstructor = boundTo(this);

  /** The connections that are open. */
  get open(): Socket[] {
    return this.connects.filter((socket) => socket.state === "open");
  }

  /** The latest connect. */
  get last(): Socket {
    const last = this.connects.at(-1);
    if (!last) throw new Error("nobody has connected");
    return last;
  }

  /** Something happens; `sent` says whether the live connections hear of it, and how often. Its number. */
  publish(channel: string, sent: 0 | 1 | 2 = 1): number {
    const history = this.channels.get(channel) ?? [];
    this.channels.set(channel, history);
    const number = history.push(payload(`${channel}#${history.length + 1}`));
    for (let time = 0; time < sent; time += 1) this.send(channel, number);
    return number;
  }

  /** Sends an event to all who have subscribed. */
  send(channel: string, number: number): void {
    for (const socket of this.open) if (socket.subscribed.has(channel)) socket.event(channel, number);
  }

  head(channel: string): number {
    return this.channels.get(channel)?.length ?? 0;
  }

  answer(socket: Socket, message: ClientMessage): void {
    if (this.mute) return;
    if (message.action === "ping") {
      const heads = Object.fromEntries([...socket.subscribed].map((channel) => [channel, this.head(channel)]));
      return socket.say({ type: "pong", at: "2026-11-21T10:00:00Z", expires_at: "2026-11-21T12:00:00Z", heads });
    }
    const { channel } = message;
    const error = this.errors.get(channel);
    if (error) return socket.say({ type: "error", ...error, channel });
    if (message.action === "unsubscribe") {
      socket.subscribed.delete(channel);
      return socket.say({ type: "unsubscribed", channel });
    }
    if (!socket.subscribed.has(channel) && socket.subscribed.size >= 10) {
      return socket.say({ type: "error", code: "too_many_subscriptions", detail: "at most 10", channel });
    }
    const head = this.head(channel);
    const since = message.since ?? head;
    socket.subscribed.add(channel);
    socket.say({ type: "subscribed", channel, since, head, expires_at: "2026-11-21T12:00:00Z" });
    for (let number = since + 1; number <= head; number += 1) {
      if (!this.lost.get(channel)?.has(number)) socket.event(channel, number);
    }
  }
}

/** A connection, as both sides see it. */
export class Socket implements WebSocketLike {
  onopen: ((event: unknown) => void) | null = null;
  onmessage: ((event: unknown) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  state: "connecting" | "open" | "closed" = "connecting";
  readonly subscribed = new Set<string>();
  /** What the client said. */
  readonly said: ClientMessage[] = [];

  constructor(
    readonly url: string,
    private readonly backend: Backend,
  ) {
    backend.connects.push(this);
    queueMicrotask(() => {
      if (this.state !== "connecting" || backend.hanging) return;
      if (backend.refusing > 0) {
        backend.refusing -= 1;
        return this.refuse();
      }
      this.state = "open";
      this.onopen?.({});
    });
  }

  get token(): string | null {
    return new URL(this.url).searchParams.get("token");
  }

  /** The `since` of each subscription that was asked for. */
  get sinces(): (number | undefined)[] {
    return this.said.flatMap((message) => (message.action === "subscribe" ? [message.since] : []));
  }

  get pings(): number {
    return this.said.filter(({ action }) => action === "ping").length;
  }

  send(data: string): void {
    if (this.state === "connecting") throw new Error("still connecting");
    const message = JSON.parse(data) as ClientMessage;
    this.said.push(message);
    if (this.state === "open") this.backend.answer(this, message);
  }

  /** By the client. */
  close(): void {
    this.#end();
  }

  /** By the network. */
  drop(): void {
    this.#end();
  }

  refuse(): void {
    this.onerror?.({});
    this.#end();
  }

  say(message: object | string): void {
    const data = typeof message === "string" ? message : JSON.stringify(message);
    queueMicrotask(() => {
      if (this.state === "open") this.onmessage?.({ data });
    });
  }

  event(channel: string, number: number): void {
    this.say({ type: "event", channel, number, event: this.backend.channels.get(channel)?.[number - 1] });
  }

  #end(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.subscribed.clear();
    queueMicrotask(() => this.onclose?.({}));
  }
}

function boundTo(backend: Backend): WebSocketConstructor {
  return class extends Socket {
    constructor(url: string) {
      super(url, backend);
    }
  };
}
