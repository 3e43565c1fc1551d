import assert from "node:assert/strict";
import { test } from "node:test";

import { SubscriptionError } from "crossdock-bookings";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World } from "../world.js";

withOwnTime();

test("one connection opens with the first subscription and closes with the last", async () => {
  const world = new World();
  assert.equal(world.backend.connects.length, 0);
  const ears = [world.follow("b1"), world.follow("b2"), world.follow("b3")];
  await calm();
  assert.equal(world.backend.open.length, 1);
  for (const ear of ears.slice(1)) ear.unsubscribe();
  await calm();
  assert.equal(world.backend.open.length, 1);
  assert.deepEqual([...world.backend.last.subscribed], ["booking:b1"]);
  ears[0]?.unsubscribe();
  await calm();
  assert.equal(world.backend.open.length, 0);
  await pass(600);
  assert.equal(world.backend.connects.length, 1, "and stays closed");
});

test("the eleventh channel opens a second connection, the hundred and first is refused", async () => {
  const world = new World();
  const ears = upTo(100).map((number) => world.follow(`b${number}`));
  await calm();
  assert.equal(world.backend.open.length, 10);
  assert.ok(world.backend.open.every(({ subscribed }) => subscribed.size === 10));
  assert.throws(
    () => world.follow("b101"),
    (error) => error instanceof SubscriptionError && error.code === "too_many_subscriptions",
  );
  world.follow("b7");
  for (const number of upTo(100)) world.backend.publish(`booking:b${number}`);
  await calm();
  assert.ok(ears.every(({ numbers }) => numbers.length === 1));

  for (const ear of ears.slice(10, 20)) ear.unsubscribe();
  await calm();
  assert.equal(world.backend.open.length, 9);
  world.follow("b101");
  await calm();
  assert.equal(world.backend.open.length, 10);
});

test("a place is free when the server says so", async () => {
  const world = new World();
  const ears = upTo(10).map((number) => world.follow(`b${number}`));
  await calm();
  world.backend.mute = true;
  ears[0]?.unsubscribe();
  await calm();
  const late = world.follow("b11");
  world.backend.mute = false;
  await calm();
  assert.equal(world.backend.open.length, 2);
  assert.deepEqual([late.statuses, late.errors], [["live"], []]);
});

test("callbacks of one channel share its subscription, each from its own number", async () => {
  const world = new World();
  for (const _ of upTo(3)) world.backend.publish("booking:b1");
  const now = world.follow("b1");
  await calm();
  const all = world.follow("b1", { since: 0 });
  const some = world.follow("b1", { since: 2 });
  const also = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual([now.numbers, all.numbers, some.numbers, also.numbers], [[4], [1, 2, 3, 4], [3, 4], [4]]);
  assert.equal(world.backend.open.length, 1);

  now.unsubscribe();
  world.backend.last.drop();
  world.backend.publish("booking:b1");
  await pass(1);
  assert.deepEqual([now.numbers, all.numbers, some.numbers, also.numbers], [[4], upTo(5), [3, 4, 5], [4, 5]]);
});

test("leaving and coming back in one go is neither", async () => {
  const world = new World();
  world.follow("b1").unsubscribe();
  const ear = world.follow("b1");
  await calm();
  ear.unsubscribe();
  const again = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  assert.equal(world.backend.connects.length, 1);
  assert.deepEqual([ear.numbers, again.numbers], [[], [1]]);
  assert.ok(world.backend.last.said.every(({ action }) => action === "subscribe"));
});

test("who comes back while the server is still being told waits for its answer", async () => {
  const world = new World();
  world.follow("other");
  const ear = world.follow("b1");
  await calm();
  const socket = world.backend.last;
  world.backend.mute = true;
  ear.unsubscribe();
  await calm();
  const again = world.follow("b1", { since: 0 });
  await calm();
  assert.deepEqual(socket.said.at(-1), { action: "unsubscribe", channel: "booking:b1" });
  world.backend.mute = false;
  socket.subscribed.delete("booking:b1");
  socket.say({ type: "unsubscribed", channel: "booking:b1" });
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(again.numbers, [1]);
});

test("an answer that comes after its subscription was left is taken back", async () => {
  const world = new World();
  world.follow("other");
  await calm();
  world.backend.mute = true;
  const ear = world.follow("b1");
  await calm();
  ear.unsubscribe();
  world.backend.mute = false;
  const socket = world.backend.last;
  socket.subscribed.add("booking:b1");
  socket.say({ type: "subscribed", channel: "booking:b1", since: 0, head: 0 });
  await calm();
  assert.deepEqual([...socket.subscribed], ["booking:other"]);
  assert.deepEqual(ear.statuses, []);

  socket.subscribed.add("booking:b1");
  socket.say({ type: "subscribed", channel: "booking:b1", since: 0, head: 0 });
  await calm();
  assert.deepEqual([...socket.subscribed], ["booking:other"], "also when it comes a second time");
});

test("an answer that comes while its end is under way changes nothing", async () => {
  const world = new World();
  world.follow("other");
  await calm();
  const socket = world.backend.last;
  world.backend.mute = true;
  const ear = world.follow("b1");
  await calm();
  ear.unsubscribe();
  await pass(9);
  socket.say({ type: "pong", heads: { "booking:other": 0 } });
  await pass(2);
  const end = { action: "unsubscribe", channel: "booking:b1" };
  const ends = (): number => socket.said.filter((message) => JSON.stringify(message) === JSON.stringify(end)).length;
  assert.equal(ends(), 1);
  socket.say({ type: "subscribed", channel: "booking:b1", since: 0, head: 0 });
  await calm();
  assert.equal(ends(), 1);
});

test("who comes back is not told of an error that was for the one who left", async () => {
  const world = new World();
  world.follow("other");
  const ear = world.follow("b1");
  await calm();
  world.backend.mute = true;
  ear.unsubscribe();
  await calm();
  const again = world.follow("b1");
  world.backend.mute = false;
  world.backend.last.say({ type: "error", code: "invalid", detail: "no such subscription", channel: "booking:b1" });
  await calm();
  assert.deepEqual([again.statuses, again.errors], [["live"], []]);
});

test("a busy server is told that somebody left until it has heard, not all the time", async () => {
  const world = new World();
  world.follow("other");
  const ear = world.follow("b1");
  await calm();
  const socket = world.backend.last;
  world.backend.errors.set("booking:b1", { code: "unavailable", detail: "please try again" });
  ear.unsubscribe();
  await pass(60);
  const ends = socket.said.filter(({ action }) => action === "unsubscribe").length;
  assert.ok(ends > 3 && ends < 10, `${ends} times in a minute`);
  world.backend.errors.clear();
  await pass(60);
  assert.deepEqual([...socket.subscribed], ["booking:other"]);
});

test("nothing is heard after leaving, however late one leaves", async () => {
  for (const late of ["at once", "while the token is fetched", "while it connects", "when it is live", "after a drop"]) {
    let give: (token: string) => void = () => {};
    const world = new World({ token: () => new Promise((resolve) => (give = resolve)) });
    const ear = world.follow("b1", { since: 0 });
    world.backend.publish("booking:b1");
    if (late !== "at once") await calm();
    if (late === "while it connects") {
      world.backend.refusing = 1;
      give("t");
      await calm();
    } else if (late === "when it is live" || late === "after a drop") {
      give("t");
      await calm();
      if (late === "after a drop") world.backend.last.drop();
      if (late === "after a drop") await calm();
    }
    const heard = ear.events.length;
    const statuses = [...ear.statuses];
    ear.unsubscribe();
    ear.unsubscribe();
    give("t");
    world.backend.publish("booking:b1");
    await pass(120);
    assert.equal(ear.events.length, heard, late);
    assert.deepEqual([ear.statuses, ear.errors], [statuses, []], late);
    assert.equal(world.backend.open.length, 0, late);
    assert.equal(world.client.getActiveSubscriptionCount(), 0, late);
  }
});

test("a callback may leave, and may bring others", async () => {
  const world = new World();
  for (const _ of upTo(3)) world.backend.publish("booking:b1");
  const numbers: number[] = [];
  const others: number[] = [];
  const leave = world.client.subscribeToBookingEvents(
    "b1",
    ({ number }) => {
      numbers.push(number);
      leave();
      world.client.subscribeToBookingEvents("b1", (event) => others.push(event.number), { since: number });
    },
    { since: 0 },
  );
  await pass(1);
  assert.deepEqual([numbers, others], [[1], [2, 3]]);
});

test("the manager counts, names and ends its subscriptions", async () => {
  const world = new World();
  world.follow("b1");
  world.follow("b1");
  world.client.subscribeToUserBookingEvents("u1", () => {});
  world.client.subscribeToProviderBookingEvents("p1", () => {});
  world.client.subscribeToTenantBookingEvents(() => {});
  assert.equal(world.client.getActiveSubscriptionCount(), 5);
  assert.deepEqual(world.client.getActiveSubscriptions(), ["booking:b1", "booking:b1", "user:u1", "provider:p1", "tenant"]);
  await calm();
  assert.deepEqual([...world.backend.last.subscribed], ["booking:b1", "user:u1", "provider:p1", "tenant"]);
  world.client.unsubscribeAll();
  assert.equal(world.client.getActiveSubscriptionCount(), 0);
  await calm();
  assert.equal(world.backend.open.length, 0);
});
