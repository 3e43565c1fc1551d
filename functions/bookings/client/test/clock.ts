import { mock } from "node:test";

/** Time stands still but for `pass`, and waits with jitter last as long as they may. */
export function standStill(): void {
  mock.timers.enable({ apis: ["setTimeout"] });
  mock.method(Math, "random", () => 1);
}

export function moveOn(): void {
  mock.timers.reset();
  mock.restoreAll();
}

/** Everything that follows without waiting is done. */
export async function calm(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((done) => setImmediate(done));
}

/** So many seconds pass. */
export async function pass(seconds: number): Promise<void> {
  await calm();
  for (let left = seconds * 1_000; left > 0; left -= 250) {
    mock.timers.tick(Math.min(left, 250));
    await calm();
  }
}
