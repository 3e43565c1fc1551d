import assert from "node:assert/strict";
import { test } from "node:test";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World } from "../world.js";

withOwnTime();

const closing = { type: "closing", reason: "two_hours", closes_at: "2026-11-21T12:00:00Z", detail: "two hours" };

test("before its end a connection is replaced, and no event is lost, doubled or late", async () => {
  const world = new World();
  const [first, second] = [world.follow("b1"), world.follow("b2", { since: 0 })];
  await calm();
  const old = world.backend.last;
  world.backend.publish("booking:b1");
  old.say(closing);
  await pass(59);
  old.say(closing);
  assert.equal(world.backend.connects.length, 1, "not all at the same moment");
  world.backend.publish("booking:b1");

  world.backend.mute = true;
  await pass(2);
  assert.equal(world.backend.open.length, 2, "the old one stays until the new one has confirmed");
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(first.numbers, upTo(3), "and is still heard");
  old.say(closing);

  world.backend.mute = false;
  await pass(10);
  assert.equal(old.state, "closed");
  assert.deepEqual(world.backend.last.sinces.at(-1), 0);
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b2");
  await calm();
  assert.deepEqual(first.numbers, upTo(4));
  assert.deepEqual(second.numbers, [1]);
  assert.deepEqual(first.statuses, ["live"], "and nobody noticed");
  await pass(61);
  assert.equal(world.backend.connects.length, 2);
});

test("a connection that ends with its token is replaced by one with a fresh token, as soon as there is one", async () => {
  const tokens: string[] = [];
  let token = "first";
  const world = new World({ token: () => (tokens.push(token), token) });
  const ear = world.follow("b1");
  await calm();
  const old = world.backend.last;
  old.say({ type: "closing", reason: "token_expired", closes_at: "2026-11-21T11:00:00Z", detail: "your token ends" });
  await pass(150);
  assert.ok(tokens.length > 2, "it is asked for again and again");
  assert.equal(world.backend.connects.length, 1, "by the same token nothing would be won");
  world.backend.publish("booking:b1");
  token = "second";
  await pass(61);
  assert.equal(world.backend.connects.length, 2);
  assert.equal(old.state, "closed");
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [1, 2]);
  assert.deepEqual(ear.statuses, ["live"]);
});

test("what the old one missed comes from the new one", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b1", 0);
  world.backend.last.say(closing);
  await pass(61);
  assert.deepEqual(ear.numbers, [1, 2]);
  assert.deepEqual(world.backend.last.sinces, [1]);
});

test("a busy server is asked again by the new one, while the old one still tells events", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  const old = world.backend.last;
  world.backend.errors.set("booking:b1", { code: "unavailable", detail: "please try again" });
  old.say(closing);
  await pass(60);
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [1]);
  world.backend.errors.clear();
  await pass(5);
  assert.equal(old.state, "closed");
  assert.deepEqual([...world.backend.last.subscribed], ["booking:b1"]);
});

test("where the new one is refused, the old one is kept to its end", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  const old = world.backend.last;
  world.backend.refusing = 3;
  old.say(closing);
  await pass(62);
  assert.equal(old.state, "open");
  world.backend.publish("booking:b1");
  await calm();
  old.drop();
  world.backend.publish("booking:b1");
  await pass(30);
  assert.deepEqual(ear.numbers, [1, 2]);
  assert.equal(world.backend.open.length, 1);
});

test("where the old one ends early, the new one is not waited for", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.last.say(closing);
  await pass(10);
  world.backend.last.drop();
  await pass(1);
  assert.deepEqual(ear.statuses, ["live", "connecting", "live"]);
  await pass(60);
  assert.equal(world.backend.connects.length, 2);
});

test("where the old one ends while the new one connects, there is no third", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  const old = world.backend.last;
  old.say(closing);
  world.backend.hanging = true;
  await pass(61);
  old.drop();
  await pass(15);
  assert.equal(world.backend.connects.length, 2);
  world.backend.hanging = false;
  await pass(10);
  assert.deepEqual(ear.statuses, ["live", "connecting", "live"]);
  assert.equal(world.backend.connects.length, 3, "but where the new one hangs");
});

test("leaving while the connection is replaced leaves both", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.last.say(closing);
  world.backend.mute = true;
  await pass(61);
  assert.equal(world.backend.open.length, 2);
  ear.unsubscribe();
  await calm();
  assert.equal(world.backend.open.length, 0);
});

test("a client that is thought idle says something", async () => {
  const world = new World();
  world.follow("b1");
  await calm();
  world.backend.last.say({ type: "closing", reason: "idle", closes_at: "2026-11-21T10:10:00Z", detail: "idle" });
  await calm();
  assert.equal(world.backend.last.pings, 1);
  await pass(60);
  assert.equal(world.backend.connects.length, 1);
});
