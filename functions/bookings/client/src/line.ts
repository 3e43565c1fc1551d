import { backoff, minute, second } from "./backoff.js";
import { Channel } from "./channel.js";
import { report, SubscriptionError } from "./error.js";
import type { ChannelName } from "./events.js";
import { Link } from "./link.js";
import type { Listener } from "./listener.js";
import type { ClientMessage, ServerMessage } from "./protocol.js";
import { address, isSpent, socketsOf, tokenOf, type Settings } from "./settings.js";

/** The server takes no more on one connection. */
const CHANNELS = 10;
/** A line that never came about is given up after so many connects. */
const REFUSALS = 10;
/** A connection that lasted so long is a good one: the next failure is the first again. */
const STABLE = 30 * second;

/** A connection that is kept up: one link after the other, and for a moment two, with up to ten channels. */
export class Line {
  readonly channels = new Map<ChannelName, Channel>();
  /** What we talk over. */
  #link: Link | undefined;
  /** What is to take its place. */
  #next: Link | undefined;
  /** What it took the place of, still telling events. */
  #leaving: Link | undefined;
  /** Where the link leads that ends with its token. */
  #spent: string | undefined;
  /** Grows with each connect, so that a token that comes too late is of no use. */
  #connect = 0;
  #connecting = false;
  #wake: ReturnType<typeof setTimeout> | undefined;
  #stable: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #refusals = 0;
  #everOpen = false;
  #settling = false;

  constructor(
    private readonly settings: () => Settings,
    private readonly closed: (line: Line) => void,
  ) {}

  get hasRoom(): boolean {
    return this.channels.size < CHANNELS;
  }

  join(listener: Listener): void {
    let channel = this.channels.get(listener.channel);
    if (!channel) {
      channel = new Channel(listener.channel, {
        send: (message) => this.#send(message),
        doubt: () => this.#link?.ping(),
      });
      this.channels.set(listener.channel, channel);
    }
    channel.add(listener);
    this.#settleSoon();
  }

  leave(listener: Listener): void {
    this.channels.get(listener.channel)?.listeners.delete(listener);
    this.#settleSoon();
  }

  /** All at the end of what was done in one go: who leaves and comes back in a moment has not left. */
  #settleSoon(): void {
    if (this.#settling) return;
    this.#settling = true;
    queueMicrotask(() => {
      this.#settling = false;
      this.#settle();
    });
  }

  #settle(): void {
    const channels = [...this.channels.values()];
    if (channels.every(({ listeners }) => listeners.size === 0)) return this.#close();
    for (const channel of channels) {
      channel.settle();
      if (channel.over) this.channels.delete(channel.name);
    }
    if (this.#leaving && channels.every(({ settled }) => settled)) {
      this.#leaving.close();
      this.#leaving = undefined;
    }
    if (!this.#link && !this.#connecting && this.#wake === undefined) void this.#open();
  }

  #send(message: ClientMessage): boolean {
    if (!this.#link?.open) return false;
    this.#link.send(message);
    return true;
  }

  async #open(): Promise<void> {
    const connect = (this.#connect += 1);
    this.#connecting = true;
    this.#wake = undefined;
    let token: string | null;
    try {
      token = await tokenOf(this.settings());
    } catch {
      if (connect === this.#connect) this.#refused();
      return;
    }
    if (connect !== this.#connect) return;
    if (token === null) return this.#end(new SubscriptionError("unauthorized", "nobody is signed in: there is no token"));
    try {
      const url = address(this.settings(), token);
      if (url === this.#spent && this.#link?.open) {
        // Another connection by the same token would end with this one.
        this.#connecting = false;
        return this.#openIn((0.5 + Math.random() / 2) * minute);
      }
      this.#next = new Link(socketsOf(this.settings()), url, {
        opened: (link) => this.#opened(link),
        heard: (link, message) => this.#heard(link, message),
        lost: (link) => this.#lost(link),
      });
    } catch (error) {
      this.#end(new SubscriptionError("invalid", `cannot connect: ${String(error)}`));
    }
  }

  #opened(link: Link): void {
    this.#next = undefined;
    this.#connecting = false;
    this.#everOpen = true;
    this.#leaving?.close();
    this.#leaving = this.#link;
    this.#link = link;
    clearTimeout(this.#stable);
    this.#stable = setTimeout(() => (this.#failures = 0), STABLE);
    for (const channel of this.channels.values()) channel.restart();
    this.#settle();
  }

  #heard(link: Link, message: ServerMessage): void {
    if (message.type === "event") {
      this.#channel(message.channel)?.event(message.number, message.event);
    } else if (link === this.#link) {
      this.#told(link, message);
    }
    this.#settleSoon();
  }

  #told(link: Link, message: Exclude<ServerMessage, { type: "event" }>): void {
    switch (message.type) {
      case "subscribed": {
        const channel = this.#channel(message.channel);
        if (channel) channel.subscribed(message);
        else link.send({ action: "unsubscribe", channel: message.channel as ChannelName });
        break;
      }
      case "unsubscribed":
        this.#channel(message.channel)?.unsubscribed();
        break;
      case "pong":
        for (const channel of this.channels.values()) channel.checked(message.heads[channel.name]);
        break;
      case "error":
        if (message.channel !== undefined) this.#channel(message.channel)?.failed(message);
        else if (message.code === "forbidden") this.#end(new SubscriptionError("forbidden", message.detail));
        else if (message.code === "invalid") report(new SubscriptionError("invalid", message.detail));
        break;
      case "closing":
        if (message.reason === "token_expired") this.#spent = link.url;
        if (message.reason === "idle") link.ping();
        // Those who connected at the same time, after an outage say, need not do so again.
        else if (!this.#connecting && this.#wake === undefined) this.#openIn(Math.random() * minute);
        break;
    }
  }

  #lost(link: Link): void {
    if (link === this.#leaving) {
      this.#leaving = undefined;
    } else if (link === this.#next) {
      this.#next = undefined;
      this.#refused();
    } else if (link === this.#link) {
      this.#link = undefined;
      clearTimeout(this.#stable);
      for (const channel of this.channels.values()) {
        channel.restart();
        for (const listener of [...channel.listeners]) listener.is("connecting");
      }
      if (!this.#connecting) this.#openIn(backoff(this.#failures++));
      this.#settleSoon();
    }
  }

  /** A connect came to nothing. Browsers do not say why: the token, the number of connections, the network, … */
  #refused(): void {
    this.#connecting = false;
    if (isSpent(this.settings())) {
      return this.#end(new SubscriptionError("unauthorized", "the token has expired: configure a function that renews it"));
    }
    if (globalThis.navigator?.onLine !== false) this.#refusals += 1;
    if (!this.#everOpen && this.#refusals >= REFUSALS) {
      const reasons = "the address or the token is wrong, this person has 10 connections already, or the server is down";
      return this.#end(new SubscriptionError("refused", `${REFUSALS} connects were refused: ${reasons}`));
    }
    this.#openIn(backoff(this.#failures++));
  }

  #openIn(delay: number): void {
    clearTimeout(this.#wake);
    this.#wake = setTimeout(() => void this.#open(), delay);
  }

  #channel(name: string): Channel | undefined {
    return this.channels.get(name as ChannelName);
  }

  /** The end of all its subscriptions. Closed first: who is told may subscribe anew, on another line. */
  #end(error: SubscriptionError): void {
    const channels = [...this.channels.values()];
    this.#close();
    for (const channel of channels) channel.end(error);
  }

  #close(): void {
    this.#connect += 1;
    this.#connecting = false;
    clearTimeout(this.#wake);
    clearTimeout(this.#stable);
    for (const link of [this.#leaving, this.#next, this.#link]) link?.close();
    this.#leaving = this.#next = this.#link = this.#wake = undefined;
    for (const channel of this.channels.values()) channel.restart();
    this.channels.clear();
    this.closed(this);
  }
}
