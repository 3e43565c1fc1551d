import assert from "node:assert/strict";
import { test } from "node:test";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World } from "../world.js";

withOwnTime();

test("after a drop it goes on where it was, with what happened meanwhile", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b1");
  await calm();
  world.backend.last.drop();
  world.backend.publish("booking:b1");
  await pass(1);
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, upTo(4));
  assert.deepEqual(world.backend.last.sinces, [2]);
  assert.deepEqual(ear.statuses, ["live", "connecting", "live"]);
});

test("a drop before the first answer changes nothing of what was asked for", async () => {
  const world = new World();
  world.backend.publish("booking:b1");
  world.backend.mute = true;
  const now = world.follow("b1");
  const all = world.follow("b2", { since: 0 });
  await calm();
  world.backend.mute = false;
  world.backend.last.drop();
  await pass(1);
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b2");
  await calm();
  assert.deepEqual(now.numbers, [2]);
  assert.deepEqual(all.numbers, [1]);
});

test("it waits longer after each failure, 30 seconds at most, and begins anew after a good while", async () => {
  const world = new World();
  world.follow("b1");
  await calm();
  world.backend.refusing = 7;
  world.backend.last.drop();
  const waits = [];
  for (let connects = world.backend.connects.length, waited = 0; connects < 9; waited += 0.25) {
    await pass(0.25);
    if (world.backend.connects.length > connects) {
      connects = world.backend.connects.length;
      waits.push(Math.round(waited + 0.25));
      waited = -0.25;
    }
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30, 30]);

  await pass(10);
  world.backend.last.drop();
  await pass(29);
  assert.equal(world.backend.open.length, 0, "ten seconds are no good while");
  await pass(1);
  await pass(40);
  world.backend.last.drop();
  await pass(1);
  assert.equal(world.backend.open.length, 1);
});

test("a ping goes out every four minutes, and its answer shows what was missed", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await pass(239);
  world.backend.publish("booking:b1", 0);
  assert.equal(world.backend.last.pings, 0);
  await pass(1);
  assert.equal(world.backend.last.pings, 1);
  assert.deepEqual(ear.numbers, [1]);
  await pass(240);
  assert.equal(world.backend.last.pings, 2);
  assert.equal(world.backend.connects.length, 1);
});

test("a subscription that the server has forgotten is renewed after the next ping", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.last.subscribed.clear();
  world.backend.publish("booking:b1");
  await pass(240);
  assert.deepEqual(ear.numbers, [1]);
});

test("a connection that answers no ping in ten seconds is dead", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.mute = true;
  await pass(240);
  world.backend.publish("booking:b1", 0);
  await pass(9);
  assert.equal(world.backend.connects.length, 1);
  world.backend.mute = false;
  await pass(2);
  assert.equal(world.backend.connects.length, 2);
  assert.equal(world.backend.connects[0]?.state, "closed");
  assert.deepEqual(ear.numbers, [1]);
});

test("a subscription that is not answered is asked for again, and the connection doubted", async () => {
  const world = new World();
  world.backend.mute = true;
  const ear = world.follow("b1");
  await calm();
  world.backend.last.say({ message: "Internal server error", connectionId: "c", requestId: "r" });
  await pass(5);
  world.backend.mute = false;
  await pass(6);
  assert.deepEqual(ear.statuses, ["live"]);
  assert.equal(world.backend.connects.length, 1);
  assert.equal(world.backend.last.pings, 1);
});

test("frames that nobody understands are passed over", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  for (const frame of ["", "null", "[]", "7", '{"type":"event"}', '{"type":"event","channel":"booking:b1","number":"1"}']) {
    world.backend.last.say(frame);
  }
  world.backend.last.say({ type: "news" });
  world.backend.last.say({ type: "event", channel: "booking:other", number: 1, event: {} });
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(ear.numbers, [1]);
});

test("a server that is busy is asked again, and nobody is told of an error", async () => {
  const world = new World();
  world.backend.errors.set("booking:b1", { code: "unavailable", detail: "please try again" });
  const ear = world.follow("b1", { since: 0 });
  world.backend.publish("booking:b1");
  await pass(1);
  assert.deepEqual([ear.statuses, ear.errors], [[], []]);
  world.backend.errors.clear();
  await pass(2);
  assert.deepEqual(ear.statuses, ["live"]);
  assert.deepEqual(ear.numbers, [1]);
});

test("what is forbidden ends alone, and says why", async () => {
  const world = new World();
  world.backend.errors.set("booking:b1", { code: "forbidden", detail: "not yours" });
  const foreign = world.follow("b1");
  const own = world.follow("b2");
  await calm();
  assert.deepEqual(foreign.statuses, ["ended"]);
  assert.deepEqual(foreign.errors.map(({ code, message }) => [code, message]), [["forbidden", "not yours"]]);
  assert.deepEqual(world.client.getActiveSubscriptions(), ["booking:b2"]);
  world.backend.last.drop();
  await pass(1);
  world.backend.publish("booking:b2");
  await calm();
  assert.deepEqual(own.numbers, [1]);
  assert.equal(world.backend.last.said.length, 1, "and it is not asked for again");
  foreign.unsubscribe();
});

test("the last one that is forbidden takes the connection with it", async () => {
  const world = new World();
  world.backend.errors.set("booking:b1", { code: "invalid", detail: "no such channel" });
  const ear = world.follow("b1");
  await calm();
  assert.equal(ear.errors[0]?.code, "invalid");
  await pass(60);
  assert.equal(world.backend.connects.length, 1);
  assert.equal(world.backend.open.length, 0);
});
