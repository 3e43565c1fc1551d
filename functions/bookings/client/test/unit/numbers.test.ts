import assert from "node:assert/strict";
import { test } from "node:test";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World } from "../world.js";

withOwnTime();

test("without since, what happens from now on is heard", async () => {
  const world = new World();
  world.backend.publish("booking:b1");
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [2]);
  const [event] = ear.events;
  assert.equal(event?.event_id, "booking:b1#2");
  assert.equal(event.id, event.event_id);
  assert.equal(event.channel, "booking:b1");
});

test("with since, what was missed comes first, then the stream", async () => {
  const world = new World();
  for (const _ of upTo(5)) world.backend.publish("booking:b1");
  const ear = world.follow("b1", { since: 2 });
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [3, 4, 5, 6]);
});

test("an event that is sent twice is handed over once", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1", 2);
  world.backend.publish("booking:b1", 2);
  world.backend.send("booking:b1", 1);
  await calm();
  assert.deepEqual(ear.numbers, [1, 2]);
});

test("a number that was skipped is asked for, and nothing is handed over before it", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b1", 0);
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [1]);
  await pass(1);
  assert.deepEqual(ear.numbers, [1, 2, 3]);
  assert.deepEqual(world.backend.last.sinces, [undefined, 1]);
});

test("two that come in each other's place are sorted without asking", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1", 0);
  world.backend.publish("booking:b1", 0);
  world.backend.send("booking:b1", 2);
  world.backend.send("booking:b1", 1);
  await pass(60);
  assert.deepEqual(ear.numbers, [1, 2]);
  assert.deepEqual(world.backend.last.sinces, [undefined]);
});

test("an event that overtakes the answer to its own subscription is not lost", async () => {
  const world = new World();
  world.backend.publish("booking:b1");
  const ear = world.follow("b1");
  world.backend.mute = true;
  await calm();
  const socket = world.backend.last;
  world.backend.publish("booking:b1");
  socket.event("booking:b1", 2);
  socket.say({ type: "subscribed", channel: "booking:b1", since: 1, head: 1 });
  await calm();
  assert.deepEqual(ear.numbers, [2]);
});

test("a replay that stops half-way is asked for again", async () => {
  const world = new World();
  for (const _ of upTo(4)) world.backend.publish("booking:b1");
  world.backend.lost.set("booking:b1", new Set([3, 4]));
  const ear = world.follow("b1", { since: 0 });
  await calm();
  assert.deepEqual(ear.numbers, [1, 2]);
  world.backend.lost.clear();
  await pass(11);
  assert.deepEqual(ear.numbers, upTo(4));
  assert.deepEqual(ear.gaps, []);
});

test("numbers that the history no longer has are told, and do not stop the rest", async () => {
  const world = new World();
  for (const _ of upTo(9)) world.backend.publish("booking:b1");
  world.backend.lost.set("booking:b1", new Set(upTo(6)));
  const ear = world.follow("b1", { since: 0 });
  await pass(5);
  assert.deepEqual(ear.numbers, [], "they may still come");
  await pass(5);
  assert.deepEqual(ear.gaps, [{ channel: "booking:b1", after: 0, next: 7 }]);
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [7, 8, 9, 10]);
});

test("what comes late, however often it does, is not given up", async () => {
  const world = new World();
  const ear = world.follow("b1", { since: 0 });
  await calm();
  for (const round of upTo(4)) {
    const lost = world.backend.head("booking:b1") + 1;
    world.backend.lost.set("booking:b1", new Set([lost]));
    world.backend.publish("booking:b1", 0);
    world.backend.publish("booking:b1");
    await pass(2);
    world.backend.lost.clear();
    await pass(10);
    assert.deepEqual(ear.numbers, upTo(2 * round));
  }
  assert.deepEqual(ear.gaps, []);
});

test("what happens while an answer is on its way passes nothing over", async () => {
  const world = new World();
  const ear = world.follow("b1", { since: 0 });
  await calm();
  const socket = world.backend.last;
  world.backend.mute = true;
  for (const _ of upTo(20)) world.backend.publish("booking:b1", 0);
  socket.event("booking:b1", 2);
  for (let second = 0, asked = 1; second < 100; second += 1) {
    await pass(1);
    if (socket.sinces.length === asked) continue;
    asked = socket.sinces.length;
    socket.say({ type: "subscribed", channel: "booking:b1", since: 0, head: asked });
    socket.event("booking:b1", asked + 1);
  }
  assert.ok(socket.sinces.length > 5);
  world.backend.mute = false;
  await pass(250);
  assert.deepEqual([ear.gaps, ear.numbers], [[], upTo(20)]);
});

test("more early events than are kept come all the same", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1", 0);
  for (const _ of upTo(1_500)) world.backend.publish("booking:b1");
  await pass(1);
  assert.deepEqual(ear.numbers, upTo(1_501));
});

test("a callback that throws has had its event, and gets the next", async (context) => {
  const told = context.mock.method(console, "error", () => {});
  const world = new World();
  const numbers: number[] = [];
  world.client.subscribeToBookingEvents("b1", ({ number }) => {
    numbers.push(number);
    throw new Error("a bug of the page");
  });
  await calm();
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(numbers, [1, 2]);
  assert.equal(told.mock.callCount(), 2);
});

test("since must be a number that an event may have", () => {
  for (const since of [-1, 1.5, Number.NaN]) assert.throws(() => new World().follow("b1", { since }), TypeError);
});
