import { minute, second } from "./backoff.js";
import { read, type ClientMessage, type ServerMessage } from "./protocol.js";
import type { WebSocketConstructor, WebSocketLike } from "./settings.js";

/** The gateway closes a connection that is silent for 10 minutes. */
const PING_EVERY = 4 * minute;
/** A ping that is unanswered for so long shows a dead connection. */
const PONG_WITHIN = 10 * second;
/** Platforms wait for minutes by themselves. */
const OPEN_WITHIN = 20 * second;

/** Who is told what becomes of a link. */
export interface Owner {
  opened(link: Link): void;
  heard(link: Link, message: ServerMessage): void;
  /** It is gone, or never came about. Not told of a link that was closed from here. */
  lost(link: Link): void;
}

/** One WebSocket, from its opening to its end. */
export class Link {
  readonly #socket: WebSocketLike;
  #state: "opening" | "open" | "gone" = "opening";
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #pings: ReturnType<typeof setTimeout> | undefined;

  constructor(
    WebSocket: WebSocketConstructor,
    /** Where it leads, with the token in it. */
    readonly url: string,
    private readonly owner: Owner,
  ) {
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => this.#opened();
    this.#socket.onmessage = ({ data }: { data: unknown }) => this.#heard(data);
    this.#socket.onclose = () => this.#lost();
    // A close follows; browsers say nothing more of what happened.
    this.#socket.onerror = () => {};
    this.#deadline = setTimeout(() => this.#lost(), OPEN_WITHIN);
  }

  get open(): boolean {
    return this.#state === "open";
  }

  send(message: ClientMessage): void {
    if (this.open) this.#socket.send(JSON.stringify(message));
  }

  /** Asks for a sign of life, and takes the connection for dead if none comes. */
  ping(): void {
    clearTimeout(this.#pings);
    this.#pings = setTimeout(() => this.ping(), PING_EVERY);
    this.#deadline ??= setTimeout(() => this.#lost(), PONG_WITHIN);
    this.send({ action: "ping" });
  }

  close(): void {
    if (this.#state === "gone") return;
    this.#state = "gone";
    this.#alive();
    clearTimeout(this.#pings);
    this.#socket.close();
  }

  #opened(): void {
    if (this.#state !== "opening") return;
    this.#state = "open";
    this.#alive();
    this.#pings = setTimeout(() => this.ping(), PING_EVERY);
    this.owner.opened(this);
  }

  #heard(data: unknown): void {
    if (!this.open) return;
    this.#alive();
    const message = read(data);
    if (message) this.owner.heard(this, message);
  }

  #lost(): void {
    if (this.#state === "gone") return;
    this.close();
    this.owner.lost(this);
  }

  /** Whatever comes is a sign of life. */
  #alive(): void {
    clearTimeout(this.#deadline);
    this.#deadline = undefined;
  }
}
