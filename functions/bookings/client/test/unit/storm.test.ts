import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World, type Ear } from "../world.js";

withOwnTime();

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const closing = { type: "closing", reason: "two_hours", detail: "two hours" };

/** One thing that happens, good or bad. */
async function happen(world: World, throwing: () => number): Promise<void> {
  const { backend } = world;
  const channel = `booking:b${Math.floor(throwing() * 3)}`;
  const head = backend.head(channel);
  const fault = throwing();
  if (fault < 0.5) backend.publish(channel);
  else if (fault < 0.6) backend.publish(channel, 2);
  else if (fault < 0.7) backend.publish(channel, 0);
  else if (fault < 0.75 && head > 0) backend.send(channel, 1 + Math.floor(throwing() * head));
  else if (fault < 0.8) backend.open[0]?.drop();
  else if (fault < 0.83) backend.refusing = 1;
  else if (fault < 0.86) backend.open.at(-1)?.say(closing);
  else if (fault < 0.88) backend.mute = !backend.mute;
  else if (fault < 0.9) backend.open[0]?.subscribed.clear();
  else if (fault < 0.92) backend.errors.set(channel, { code: "unavailable", detail: "busy" });
  else if (fault < 0.94) backend.errors.clear();
  else if (fault < 0.96) await pass(throwing() * 90);
  else await pass(throwing() * 3);
  if (throwing() < 0.5) await calm();
}

function exactly(ear: Ear, from: number, head: number, told: string): void {
  assert.deepEqual(ear.numbers, upTo(head).slice(from), told);
  assert.deepEqual([ear.gaps, ear.errors], [[], []], told);
}

test("whatever happens on the way, every number is heard once and in order", async () => {
  for (const seed of upTo(60)) {
    const throwing = dice(seed);
    mock.method(Math, "random", throwing);
    const world = new World({ token: () => (throwing() < 0.05 ? Promise.reject(new Error("no token now")) : "t") });
    const ears = [0, 1, 2].map((booking) => world.follow(`b${booking}`, { since: 0 }));
    const others = [];
    for (let step = 0; step < 80; step += 1) {
      await happen(world, throwing);
      if (throwing() < 0.05) others.push(world.follow("b0", { since: 0 }));
      if (throwing() < 0.03) others.pop()?.unsubscribe();
    }
    const { backend } = world;
    backend.mute = false;
    backend.refusing = 0;
    backend.errors.clear();
    // A ping, its time-out, another connection.
    await pass(320);
    for (const [booking, ear] of ears.entries()) {
      exactly(ear, 0, backend.head(`booking:b${booking}`), `seed ${seed}, booking b${booking}`);
    }
    for (const ear of others) exactly(ear, 0, backend.head("booking:b0"), `seed ${seed}, one who came later`);
    assert.equal(backend.open.length, 1, `seed ${seed}`);
    world.client.unsubscribeAll();
    await calm();
    assert.equal(backend.open.length, 0, `seed ${seed}`);
  }
});
