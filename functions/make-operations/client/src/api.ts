/** Where the API is, and who calls it. */
export interface Settings {
  /** The API's address, without a path. */
  url: string;
  /** An API key of the scope `make_operations`: for sending usage, and never in a browser. */
  key?: string;
  /** A person's token, or what gives one: for looking clients up. */
  token?: string | (() => string | Promise<string>);
  /** In place of the global `fetch`. */
  fetch?: typeof fetch;
}

/** One thing that is wrong with a request. */
export interface Fault {
  /** Where, as a JSON pointer: `/operations/3/date`. */
  pointer: string;
  detail: string;
}

/** What the API answered in place of what was asked for (RFC 9457). */
export class CrossdockError extends Error {
  override readonly name = "CrossdockError";

  constructor(
    readonly status: number,
    message: string,
    /** All that is wrong with the request, at once. */
    readonly faults: readonly Fault[] = [],
    /** Seconds after which to try again, where it says so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

let settings: Settings | undefined;

/** Says where the API is, once, before anything else is called. */
export function configure(given: Settings): void {
  settings = given;
}

/** As the machine whose key was configured. */
export async function asMachine(path: string, body: unknown): Promise<unknown> {
  const { key } = known();
  if (key === undefined) throw new TypeError("configure an API key: { url, key }");
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** As the person whose token was configured. */
export async function asPerson(path: string): Promise<unknown> {
  const { token } = known();
  if (token === undefined) throw new TypeError("configure a person's token: { url, token }");
  const bearer = typeof token === "function" ? await token() : token;
  return ask(path, { headers: { authorization: `Bearer ${bearer}` } });
}

function known(): Settings {
  if (settings === undefined) throw new TypeError("call configure({ url, … }) first");
  return settings;
}

async function ask(path: string, init: RequestInit): Promise<unknown> {
  const { url, fetch = globalThis.fetch } = known();
  const answer = await fetch(url.replace(/\/+$/, "") + path, init);
  const text = await answer.text();
  if (!answer.ok) throw failure(answer, text);
  return JSON.parse(text) as unknown;
}

function failure(answer: Response, text: string): CrossdockError {
  const problem = json(text) as { title?: string; detail?: string; errors?: Fault[] } | undefined;
  const message = problem?.detail ?? problem?.title ?? `the API answered ${answer.status}`;
  const seconds = Number(answer.headers.get("retry-after") ?? Number.NaN);
  return new CrossdockError(answer.status, message, problem?.errors ?? [], Number.isFinite(seconds) ? seconds : null);
}

/** Who answers in place of the API may answer anything. */
function json(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
