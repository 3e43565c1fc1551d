import assert from "node:assert/strict";
import { test } from "node:test";

import { bookingHooks, type BookingEvents, type HookOptions } from "crossdock-bookings/react";

import { calm, pass } from "../clock.js";
import { upTo, withOwnTime, World } from "../world.js";

withOwnTime();

/** One component, with as much of React as its hooks need: states, effects by their dependencies, renders on change. */
class Component<Props, Shown> {
  shown: Shown;
  readonly #cells: unknown[] = [];
  readonly #ends = new Map<number, () => void>();
  #effects: (() => void)[] = [];
  #at = 0;
  #dirty = false;

  constructor(
    private readonly render: (props: Props) => Shown,
    private props: Props,
  ) {
    current = this as Component<any, any>;
    this.shown = this.show(props);
  }

  show(props: Props): Shown {
    this.props = props;
    do {
      this.#at = 0;
      this.#dirty = false;
      current = this as Component<any, any>;
      this.shown = this.render(props);
      for (const effect of this.#effects.splice(0)) effect();
    } while (this.#dirty);
    return this.shown;
  }

  unmount(): void {
    for (const end of this.#ends.values()) end();
  }

  state<S>(initial: S): [S, (next: S | ((was: S) => S)) => void] {
    const at = this.#at++;
    if (!(at in this.#cells)) this.#cells[at] = initial;
    const set = (next: S | ((was: S) => S)): void => {
      const was = this.#cells[at] as S;
      const is = typeof next === "function" ? (next as (was: S) => S)(was) : next;
      if (Object.is(was, is)) return;
      this.#cells[at] = is;
      if (!this.#dirty) queueMicrotask(() => this.show(this.props));
      this.#dirty = true;
    };
    return [this.#cells[at] as S, set];
  }

  effect(effect: () => void | (() => void), dependencies: readonly unknown[]): void {
    const at = this.#at++;
    if (!this.#changed(at, dependencies)) return;
    this.#effects.push(() => {
      this.#ends.get(at)?.();
      this.#ends.delete(at);
      const end = effect();
      if (end) this.#ends.set(at, end);
    });
  }

  memo<T>(value: T, dependencies: readonly unknown[]): T {
    const at = this.#at++;
    const kept = this.#at++;
    if (this.#changed(at, dependencies)) this.#cells[kept] = value;
    return this.#cells[kept] as T;
  }

  #changed(at: number, dependencies: readonly unknown[]): boolean {
    const was = this.#cells[at] as readonly unknown[] | undefined;
    this.#cells[at] = dependencies;
    return !was || dependencies.some((dependency, index) => !Object.is(dependency, was[index]));
  }
}

let current: Component<any, any>;
const react = {
  useState: <S>(initial: S) => current.state(initial),
  useEffect: (effect: () => void | (() => void), on: readonly unknown[]) => current.effect(effect, on),
  useCallback: <F extends () => void>(callback: F, on: readonly unknown[]) => current.memo(callback, on),
};

interface Props {
  readonly id: string | null;
  readonly options?: HookOptions;
}

function mounted(world: World, props: Props): Component<Props, BookingEvents> {
  const { useBookingEvents } = bookingHooks(react, world.client);
  return new Component<Props, BookingEvents>(({ id, options }) => useBookingEvents(id, options), props);
}

test("a component shows events newest first, and whether it hears them", async () => {
  const world = new World();
  const component = mounted(world, { id: "b1" });
  assert.deepEqual([component.shown.events, component.shown.isConnected, component.shown.error], [[], false, null]);
  await calm();
  assert.equal(component.shown.isConnected, true);
  world.backend.publish("booking:b1");
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(component.shown.events.map(({ id }) => id), ["booking:b1#2", "booking:b1#1"]);

  const { clearEvents } = component.shown;
  clearEvents();
  await calm();
  assert.deepEqual(component.shown.events, []);
  assert.equal(component.shown.clearEvents, clearEvents);
  world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(component.shown.events.map(({ number }) => number), [3]);

  world.backend.last.drop();
  await calm();
  assert.equal(component.shown.isConnected, false);
  await pass(1);
  assert.equal(component.shown.isConnected, true);

  component.unmount();
  await calm();
  assert.equal(world.backend.open.length, 0);
});

test("so many are kept and no more", async () => {
  const world = new World();
  const component = mounted(world, { id: "b1", options: { maxEvents: 2, since: 0 } });
  for (const _ of upTo(5)) world.backend.publish("booking:b1");
  await calm();
  assert.deepEqual(component.shown.events.map(({ number }) => number), [5, 4]);
});

test("another id is another booking, and no id is none", async () => {
  const world = new World();
  const component = mounted(world, { id: null });
  await calm();
  assert.equal(world.backend.connects.length, 0);
  component.show({ id: "b1" });
  await calm();
  world.backend.publish("booking:b1");
  await calm();
  component.show({ id: "b2" });
  await calm();
  assert.deepEqual(component.shown.events, []);
  assert.equal(component.shown.isConnected, true);
  assert.deepEqual([...world.backend.last.subscribed], ["booking:b2"]);
  component.show({ id: null });
  await calm();
  assert.equal(world.backend.open.length, 0);
});

test("an error is told in words", async () => {
  const world = new World();
  world.backend.errors.set("booking:b1", { code: "forbidden", detail: "not yours" });
  const component = mounted(world, { id: "b1" });
  await calm();
  assert.equal(component.shown.error, "not yours");
  assert.equal(component.shown.isConnected, false);

  for (const number of upTo(100)) world.follow(`x${number}`);
  const refused = mounted(world, { id: "one too many" });
  await calm();
  assert.match(refused.shown.error ?? "", /at most 100/);
});

test("users, providers and the tenant have theirs", async () => {
  const world = new World();
  const hooks = bookingHooks(react, world.client);
  const user = new Component(() => hooks.useUserBookingEvents("u1"), null);
  const provider = new Component(() => hooks.useProviderBookingEvents("p1"), null);
  const tenant = new Component(() => hooks.useTenantBookingEvents(), null);
  await calm();
  for (const channel of ["user:u1", "provider:p1", "tenant"]) world.backend.publish(channel);
  await calm();
  const shown = [user, provider, tenant].map((component) => component.shown.events.map(({ channel }) => channel));
  assert.deepEqual(shown, [["user:u1"], ["provider:p1"], ["tenant"]]);
});
