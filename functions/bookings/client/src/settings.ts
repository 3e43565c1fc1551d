/** As much of a `WebSocket` as is used. */
export interface WebSocketLike {
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(): void;
}

/** Makes one. */
export type WebSocketConstructor = new (url: string) => WebSocketLike;

/** Where to connect, and as whom. */
export interface Settings {
  /** The address of the WebSocket API: `wss://…`. */
  readonly url: string;
  /**
   * A person's JWT, or a function that gives a valid one. It is asked at every connect, also after hours; `null` says
   * that nobody is signed in any more, and ends the subscriptions.
   */
  readonly token: string | (() => string | null | Promise<string | null>);
  /** Another implementation than the platform's. */
  readonly WebSocket?: WebSocketConstructor;
}

/** Settings that can be connected with; throws what a developer has to mend. */
export function checked(settings: Settings): Settings {
  if (!/^wss?:$/.test(new URL(settings.url).protocol)) {
    throw new TypeError(`url must begin with wss://, not be ${settings.url}`);
  }
  if (typeof settings.token !== "function" && !settings.token) {
    throw new TypeError("token must be a JWT, or a function that gives one");
  }
  return settings;
}

/** The `WebSocket` to use. */
export function socketsOf(settings: Settings): WebSocketConstructor {
  const found = settings.WebSocket ?? (globalThis.WebSocket as WebSocketConstructor | undefined);
  if (!found) throw new TypeError("there is no WebSocket on this platform: configure one");
  return found;
}

/** The token to connect with now; `null` if nobody is signed in. */
export async function tokenOf({ token }: Settings): Promise<string | null> {
  return (typeof token === "function" ? await token() : token) || null;
}

/** Browsers can set no header on a WebSocket, so the token is in the address. */
export function address({ url }: Settings, token: string): string {
  const whole = new URL(url);
  whole.searchParams.set("token", token);
  return whole.href;
}

/** Whether the token is a text, which nobody renews, and has expired by its own word (`exp`, in seconds). */
export function isSpent({ token }: Settings): boolean {
  if (typeof token === "function") return false;
  try {
    const claims = token.split(".")[1] ?? "";
    const { exp } = JSON.parse(atob(claims.replace(/-/g, "+").replace(/_/g, "/"))) as { exp?: unknown };
    return typeof exp === "number" && exp * 1_000 <= Date.now();
  } catch {
    return false;
  }
}
