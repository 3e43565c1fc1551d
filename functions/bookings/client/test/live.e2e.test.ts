import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  createBookingSubscriptions,
  type BookingEvent,
  type BookingSubscriptions,
  type Status,
  type SubscriptionError,
} from "crossdock-bookings";

import { Cable, change, claims, fresh, rest, Stack, until } from "./stack.js";

const stack = new Stack();
const limit = { timeout: 240_000 };
let cable: Cable;
let owner: BookingSubscriptions;

before(async () => {
  cable = await Cable.to(stack.url);
  owner = createBookingSubscriptions({ url: cable.url, token: async () => stack.token("owner") });
});

after(() => {
  owner.unsubscribeAll();
  cable.close();
});

function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

test("events arrive once and in order, however often the connection is cut", limit, async () => {
  const booking = fresh("booking");
  const heard: BookingEvent[] = [];
  const statuses: Status[] = [];
  const gaps: unknown[] = [];
  const options = { since: 0, onStatus: (status: Status) => statuses.push(status), onGap: (gap: unknown) => gaps.push(gap) };
  const end = owner.subscribeToBookingEvents(booking, (event) => heard.push(event), options);
  await until(() => statuses.includes("live"), "live");

  const reported: string[] = [];
  for (const step of upTo(30)) {
    reported.push(...(await stack.report(change(booking))));
    if (step === 8) {
      await until(() => heard.length > 0, "the first event");
      cable.cut();
    }
    if (step === 14) await until(() => statuses.length >= 3, "live again");
    if (step === 16) {
      cable.plugged = false;
      cable.cut();
    }
    if (step === 24) cable.plugged = true;
  }
  await until(() => heard.length >= 30, "all thirty");
  await rest(1_000);

  assert.deepEqual(heard.map(({ number }) => number), upTo(30));
  assert.deepEqual(new Set(heard.map(({ event_id }) => event_id)), new Set(reported));
  assert.deepEqual(statuses, ["live", "connecting", "live", "connecting", "live"]);
  assert.deepEqual(gaps, []);

  const { data } = await stack.history(`/api/v1/bookings/${booking}/events?since=0&limit=100`);
  assert.equal(data.head, 30);
  const told = data.events.map(({ number, event }) => [number, event.event_id]);
  assert.deepEqual(told, heard.map(({ number, event_id }) => [number, event_id]), "the history over HTTP is the same");

  const late: number[] = [];
  const endLate = owner.subscribeToBookingEvents(booking, ({ number }) => late.push(number), { since: 27 });
  await until(() => late.length >= 3, "what came after 27");
  await stack.report(change(booking));
  await until(() => late.length >= 4 && heard.length >= 31, "and what happens now");
  assert.deepEqual(late, [28, 29, 30, 31]);
  end();
  endLate();
});

test("users, providers and the tenant hear of a booking of theirs", limit, async () => {
  const [booking, user, provider] = [fresh("booking"), fresh("user"), fresh("provider")];
  const heard: BookingEvent[] = [];
  const live = new Set<string>();
  const hear = (event: BookingEvent): number => heard.push(event);
  const options = (name: string) => ({ onStatus: (status: Status) => status === "live" && live.add(name) });
  const ends = [
    owner.subscribeToUserBookingEvents(user, hear, options("user")),
    owner.subscribeToProviderBookingEvents(provider, hear, options("provider")),
    owner.subscribeToTenantBookingEvents(hear, options("tenant")),
  ];
  await until(() => live.size === 3, "live");

  const [id] = await stack.report(change(booking, { client_id: user, provider_id: provider }));
  const ours = (): BookingEvent[] => heard.filter(({ event_id }) => event_id === id);
  await until(() => ours().length >= 3, "heard in all three");

  const channels = ours().map(({ channel }) => channel);
  assert.deepEqual(channels.sort(), [`provider:${provider}`, "tenant", `user:${user}`]);
  const [event] = ours();
  assert.equal(event?.type, "booking.updated");
  assert.equal(event.operation, "UPDATE");
  assert.equal(event.booking_event?.["id"], booking);
  assert.equal(event.booking_details?.booking_number, "BK-1");
  for (const end of ends) end();
});

test("eleven bookings need a second connection", limit, async () => {
  await until(() => cable.connections === 0, "the connections before are closed");
  const bookings = upTo(11).map(() => fresh("booking"));
  const heard = new Map<string, number[]>(bookings.map((booking) => [booking, []]));
  let live = 0;
  const ends = bookings.map((booking) => {
    const options = { onStatus: (status: Status) => (live += status === "live" ? 1 : 0) };
    return owner.subscribeToBookingEvents(booking, ({ number }) => heard.get(booking)?.push(number), options);
  });
  await until(() => live === 11, "all are live");
  assert.equal(cable.connections, 2);
  await stack.report(...bookings.map((booking) => change(booking)));
  await until(() => [...heard.values()].every(({ length }) => length > 0), "each is heard");
  assert.deepEqual([...heard.values()], bookings.map(() => [1]));
  for (const end of ends) end();
  await until(() => cable.connections === 0, "both are closed");
});

test("an agent follows what is its own, and nothing else", limit, async () => {
  const token = stack.token("agent");
  const subject = String(claims(token)["sub"]);
  const booking = fresh("booking");
  await stack.report(change(booking, { client_id: fresh("user") }));

  const agent = createBookingSubscriptions({ url: cable.url, token });
  const errors: SubscriptionError[] = [];
  const onError = (error: SubscriptionError): number => errors.push(error);
  agent.subscribeToBookingEvents(booking, () => assert.fail("not the agent's"), { since: 0, onError });
  agent.subscribeToTenantBookingEvents(() => assert.fail("not the agent's"), { since: 0, onError });
  const heard: string[] = [];
  let live = false;
  agent.subscribeToUserBookingEvents(subject, ({ event_id }) => heard.push(event_id), {
    onStatus: (status) => (live = status === "live"),
  });
  await until(() => live && errors.length === 2, "two refusals and one subscription");
  assert.deepEqual(errors.map(({ code }) => code), ["forbidden", "forbidden"]);
  assert.deepEqual(agent.getActiveSubscriptions(), [`user:${subject}`]);

  const ids = await stack.report(change(fresh("booking"), { client_id: subject }));
  await until(() => heard.length > 0, "its own booking");
  assert.deepEqual(heard, ids);
  agent.unsubscribeAll();
});

test("a token that has expired is refused, and not tried again", limit, async () => {
  const [header, , signature] = stack.token("owner").split(".");
  const old = Buffer.from(JSON.stringify({ ...claims(stack.token("owner")), exp: 1_700_000_000 })).toString("base64url");
  const stranger = createBookingSubscriptions({ url: cable.url, token: `${header}.${old}.${signature}` });
  const statuses: Status[] = [];
  const errors: SubscriptionError[] = [];
  stranger.subscribeToBookingEvents(fresh("booking"), () => assert.fail("refused"), {
    onStatus: (status) => statuses.push(status),
    onError: (error) => errors.push(error),
  });
  await until(() => errors.length > 0, "the refusal");
  assert.deepEqual([statuses, errors.map(({ code }) => code)], [["ended"], ["unauthorized"]]);
});
