import assert from "node:assert/strict";
import { test } from "node:test";

import {
  bookingSubscriptionManager,
  configure,
  subscribeToBookingEvents,
  subscribeToProviderBookingEvents,
  subscribeToTenantBookingEvents,
  subscribeToUserBookingEvents,
} from "crossdock-bookings";

import { Backend } from "../backend.js";
import { calm } from "../clock.js";
import { withOwnTime } from "../world.js";

withOwnTime();

test("the functions follow with what was configured, and each gives back its end", async () => {
  assert.throws(() => subscribeToBookingEvents("b1", () => {}), /call configure/);
  const backend = new Backend();
  configure({ url: "wss://live.example", token: "t", WebSocket: backend.WebSocket });
  assert.throws(() => subscribeToBookingEvents("", () => {}), TypeError);

  const heard: string[] = [];
  const hear = ({ channel, event_type }: { channel: string; event_type: string }): number =>
    heard.push(`${channel} ${event_type}`);
  const ends = [
    subscribeToBookingEvents("b1", hear),
    subscribeToUserBookingEvents("u1", hear),
    subscribeToProviderBookingEvents("p1", hear),
    subscribeToTenantBookingEvents(hear),
  ];
  await calm();
  const channels = ["booking:b1", "user:u1", "provider:p1", "tenant"];
  for (const channel of channels) backend.publish(channel);
  await calm();
  assert.deepEqual(heard, channels.map((channel) => `${channel} booking.updated`));
  assert.equal(bookingSubscriptionManager.getActiveSubscriptionCount(), 4);

  for (const end of ends) end();
  await calm();
  assert.equal(bookingSubscriptionManager.getActiveSubscriptionCount(), 0);
  assert.equal(backend.open.length, 0);
});

test("a platform without WebSocket is told so", (context) => {
  const platforms = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  Reflect.deleteProperty(globalThis, "WebSocket");
  context.after(() => platforms && Object.defineProperty(globalThis, "WebSocket", platforms));
  configure({ url: "wss://live.example", token: "t" });
  assert.throws(() => subscribeToBookingEvents("b1", () => {}), /no WebSocket/);
});
