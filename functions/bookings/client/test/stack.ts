import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";

interface Description {
  readonly api_url: string;
  readonly ws_url: string | null;
  readonly tenants: readonly {
    readonly api_key: string;
    readonly users: readonly { readonly role: string; readonly id_token: string }[];
  }[];
}

/** What the history over HTTP answers. */
export interface Page {
  readonly data: { readonly events: readonly { number: number; event: { event_id: string } }[]; readonly head: number };
}

/** The running stack that `CROSSDOCK_STACK`, the path of its `stack.json`, speaks of; its first tenant. */
export class Stack {
  readonly #description: Description;

  constructor() {
    const file = process.env["CROSSDOCK_STACK"];
    if (!file) throw new Error("CROSSDOCK_STACK must be the path of a running stack's stack.json");
    this.#description = JSON.parse(readFileSync(file, "utf8")) as Description;
  }

  get url(): string {
    const { ws_url } = this.#description;
    if (!ws_url) throw new Error("the stack has no WebSocket API");
    return ws_url;
  }

  /** The token of a person of that role. */
  token(role: string): string {
    const { id_token } = this.#tenant.users.find((user) => user.role === role) ?? {};
    if (!id_token) throw new Error(`there is no ${role}`);
    if (Number(claims(id_token)["exp"]) * 1_000 < Date.now()) throw new Error("the stack's tokens are old: start it anew");
    return id_token;
  }

  /** Reports changes, as the database does. The ids of their events. */
  async report(...changes: object[]): Promise<string[]> {
    const answer = await fetch(`${this.#description.api_url}/api/webhooks/booking-events`, {
      method: "POST",
      headers: { authorization: `Bearer ${this.#tenant.api_key}`, "content-type": "application/json" },
      body: JSON.stringify(changes),
    });
    if (answer.status !== 202) throw new Error(`${answer.status}: ${await answer.text()}`);
    const { data } = (await answer.json()) as { data: { events: { event_id: string }[] } };
    return data.events.map(({ event_id }) => event_id);
  }

  async history(path: string): Promise<Page> {
    const headers = { authorization: `Bearer ${this.token("owner")}` };
    const answer = await fetch(`${this.#description.api_url}${path}`, { headers });
    if (answer.status !== 200) throw new Error(`${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as Page;
  }

  get #tenant(): Description["tenants"][number] {
    const [first] = this.#description.tenants;
    if (!first) throw new Error("the stack has no tenant");
    return first;
  }
}

/** What a token says. */
export function claims(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}

/** An id that nobody else has. */
export function fresh(kind: string): string {
  return `${kind}-${randomUUID()}`;
}

let changes = 0;

/** A change of a booking, and each is another. */
export function change(id: string, more: object = {}): object {
  const updated_at = new Date(Date.UTC(2026, 10, 21) + (changes += 1)).toISOString();
  const record = { id, booking_number: "BK-1", status: "confirmed", updated_at, ...more };
  return { type: "UPDATE", table: "bookings", schema: "public", record, old_record: { ...record, status: "pending" } };
}

/** Waits until it is so, a minute at most. */
export async function until(so: () => boolean, what: string): Promise<void> {
  for (const end = Date.now() + 60_000; !so(); ) {
    if (Date.now() > end) throw new Error(`in a minute it did not happen: ${what}`);
    await rest(20);
  }
}

export function rest(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** A cable to the stack that can be cut. */
export class Cable {
  /** Whether connects are let through. */
  plugged = true;
  readonly #ends = new Set<Socket>();
  readonly #server = createServer((near) => this.#join(near));
  readonly #target: URL;

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  static async to(target: string): Promise<Cable> {
    const cable = new Cable(target);
    await new Promise<void>((done) => cable.#server.listen(0, "127.0.0.1", done));
    return cable;
  }

  /** Where its near end is. */
  get url(): string {
    const url = new URL(this.#target);
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the cable is closed");
    url.hostname = "127.0.0.1";
    url.port = String(address.port);
    return url.href;
  }

  /** How many connections run through it. */
  get connections(): number {
    return this.#ends.size;
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const end of this.#ends) end.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }

  #join(near: Socket): void {
    if (!this.plugged) return void near.destroy();
    const far = connect(Number(this.#target.port), this.#target.hostname);
    this.#ends.add(near);
    near.pipe(far);
    far.pipe(near);
    near.on("close", () => {
      this.#ends.delete(near);
      far.destroy();
    });
    far.on("close", () => near.destroy());
    for (const end of [near, far]) end.on("error", () => end.destroy());
  }
}
