import assert from "node:assert/strict";
import { test } from "node:test";

import { calm, pass } from "../clock.js";
import { withOwnTime, World } from "../world.js";

withOwnTime();

/** A token with that end, in seconds since 1970. */
function jwt(exp: number): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256" })}.${part({ sub: "ünï", exp })}.${"s".repeat(8)}`;
}

test("the token is in the address, beside what is there already", async () => {
  const world = new World({ url: "wss://live.example/prod?stage=a", token: "a/b+c=" });
  world.follow("b1");
  await calm();
  assert.equal(world.backend.last.url, "wss://live.example/prod?stage=a&token=a%2Fb%2Bc%3D");
});

test("the function is asked at each connect", async () => {
  let asked = 0;
  const world = new World({ token: async () => `t${(asked += 1)}` });
  const ear = world.follow("b1");
  await calm();
  world.backend.refusing = 2;
  world.backend.last.drop();
  await pass(10);
  assert.deepEqual(world.backend.connects.map(({ token }) => token), ["t1", "t2", "t3", "t4"]);
  assert.deepEqual(ear.statuses, ["live", "connecting", "live"]);
});

test("a token that comes after all have left is not used", async () => {
  let give: (token: string) => void = () => {};
  const world = new World({ token: () => new Promise((resolve) => (give = resolve)) });
  const ear = world.follow("b1");
  await calm();
  ear.unsubscribe();
  await calm();
  give("t");
  await pass(60);
  assert.equal(world.backend.connects.length, 0);
});

test("a function that fails is asked again later", async () => {
  let asked = 0;
  const world = new World({
    token: () => {
      asked += 1;
      if (asked < 3) throw new Error("the sign-in service is down");
      return "t";
    },
  });
  const ear = world.follow("b1");
  await pass(5);
  assert.deepEqual([asked, ear.statuses], [3, ["live"]]);
});

test("when nobody is signed in any more, subscriptions end", async () => {
  let token: string | null = "t";
  const world = new World({ token: () => token });
  const ear = world.follow("b1");
  await calm();
  token = null;
  world.backend.last.drop();
  await pass(300);
  assert.deepEqual(ear.errors.map(({ code }) => code), ["unauthorized"]);
  assert.equal(world.backend.connects.length, 1);
  assert.equal(world.client.getActiveSubscriptionCount(), 0);
});

test("who subscribes anew on hearing of the end gets a new connection", async () => {
  let token: string | null = null;
  const world = new World({ token: () => token });
  const again: string[] = [];
  world.client.subscribeToBookingEvents("b1", () => {}, {
    onError: () => {
      token = "t";
      world.client.subscribeToBookingEvents("b1", () => {}, { onStatus: (status) => again.push(status) });
    },
  });
  await pass(1);
  assert.deepEqual(again, ["live"]);
  assert.equal(world.backend.open.length, 1);
});

test("a text that has expired and is refused is not tried again", async () => {
  const world = new World({ token: jwt(1_700_000_000) });
  world.backend.refusing = 1_000;
  const ear = world.follow("b1");
  await pass(60);
  assert.equal(world.backend.connects.length, 1);
  assert.deepEqual(ear.errors.map(({ code }) => code), ["unauthorized"]);
  assert.match(ear.errors[0]?.message ?? "", /function that renews it/);
});

test("a text that has not expired is tried again", async () => {
  const world = new World({ token: jwt(4_000_000_000) });
  world.backend.refusing = 1;
  const ear = world.follow("b1");
  await pass(2);
  assert.deepEqual(ear.statuses, ["live"]);
});

test("a connection that never came about is given up after ten connects", async () => {
  const world = new World({ token: () => "wrong" });
  world.backend.refusing = 1_000;
  const ear = world.follow("b1");
  await pass(600);
  assert.equal(world.backend.connects.length, 10);
  assert.deepEqual(ear.statuses, ["ended"]);
  assert.equal(ear.errors[0]?.code, "refused");
  assert.equal(world.client.getActiveSubscriptionCount(), 0);
});

test("one that has been open is not given up", async () => {
  const world = new World();
  const ear = world.follow("b1");
  await calm();
  world.backend.refusing = 50;
  world.backend.last.drop();
  await pass(1_800);
  assert.deepEqual([ear.statuses, ear.errors], [["live", "connecting", "live"], []]);
});

test("time without a network does not count", async (context) => {
  const network = { onLine: false };
  const earlier = Object.getOwnPropertyDescriptor(globalThis, "navigator");
  Object.defineProperty(globalThis, "navigator", { value: network, configurable: true });
  context.after(() => {
    if (earlier) Object.defineProperty(globalThis, "navigator", earlier);
    else Reflect.deleteProperty(globalThis, "navigator");
  });
  const world = new World();
  world.backend.refusing = 30;
  const ear = world.follow("b1");
  await pass(1_200);
  assert.deepEqual([ear.statuses, ear.errors], [["live"], []]);
});

test("a connect that hangs is tried again after 20 seconds", async () => {
  const world = new World();
  world.backend.hanging = true;
  const ear = world.follow("b1");
  await pass(19);
  world.backend.hanging = false;
  assert.equal(world.backend.connects.length, 1);
  await pass(3);
  assert.equal(world.backend.connects.length, 2);
  assert.deepEqual(ear.statuses, ["live"]);
});

test("what a developer has to mend is thrown at once", () => {
  assert.throws(() => new World({ url: "https://live.example" }), /must begin with wss/);
  assert.throws(() => new World({ url: "live" }), TypeError);
  assert.throws(() => new World({ token: "" }), /token/);
});
