import assert from "node:assert/strict";
import { test } from "node:test";

import {
  calculateOperationsFromWebhook,
  configure,
  CrossdockError,
  getClientIdBySlug,
  type Operations,
  syncMakeOperationsData,
} from "crossdock-make-operations";

const row = (n: number): Operations => ({
  scenario_name: `Scenario ${n}`,
  date: "2025-01-22",
  operations_count: 1,
  success_count: 1,
  error_count: 0,
});

/** An API that answers in turn, and what it was asked. */
function api(...answers: [status: number, body: unknown, headers?: Record<string, string>][]) {
  const asked: { url: string; authorization: string | null; body: unknown }[] = [];
  const fetch: typeof globalThis.fetch = async (url, init) => {
    const [status, body, headers] = answers.shift() ?? [500, ""];
    const sent = typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : null;
    asked.push({ url: String(url), authorization: new Headers(init?.headers).get("authorization"), body: sent });
    return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers: headers ?? {} });
  };
  return { asked, fetch };
}

test("runs come to a row for each day of the tenant, and no cent is lost", () => {
  const run = (timestamp: string, status: "success" | "warning" | "error", cost_usd: number | string) => ({
    status,
    operations_consumed: 5,
    cost_usd,
    timestamp,
  });
  const webhook = {
    scenario_id: "12345",
    scenario_name: "Lead Processing",
    client_id: "cli_1",
    executions: [
      run("2025-01-22T10:30:00Z", "success", 0.1),
      run("2025-01-22T11:30:00Z", "error", "0.2"),
      run("2025-01-22T23:30:00Z", "warning", 0.0001),
    ],
  };
  const about = { scenario_id: "12345", scenario_name: "Lead Processing", client_id: "cli_1" };
  assert.deepEqual(calculateOperationsFromWebhook(webhook), [
    { ...about, date: "2025-01-22", operations_count: 15, cost_usd: "0.3001", success_count: 1, error_count: 1 },
  ]);
  const zurich = calculateOperationsFromWebhook(webhook, "Europe/Zurich");
  assert.deepEqual(zurich.map((day) => [day.date, day.operations_count]), [["2025-01-22", 10], ["2025-01-23", 5]]);
  const one = (execution: ReturnType<typeof run>) => () =>
    calculateOperationsFromWebhook({ ...webhook, executions: [execution] });
  assert.throws(one(run("yesterday", "success", 1)), RangeError);
  assert.throws(one(run("2025-01-22T10:30:00Z", "success", "1,50")), RangeError);
});

test("rows go a thousand at a time, and a fault is told by its place among all", async () => {
  const fault = { pointer: "/operations/3/date", detail: "must be a day as YYYY-MM-DD" };
  const problem = { title: "Bad request", detail: "1 field is wrong", errors: [fault] };
  const stored = { success: true, message: "", synced_count: 1_000 };
  const { asked, fetch } = api([200, stored], [400, problem], [200, stored], [200, { ...stored, synced_count: 200 }]);
  configure({ url: "https://api.example/", key: "cdk_1", fetch });
  const rows = Array.from({ length: 1_200 }, (_, n) => row(n));

  await assert.rejects(syncMakeOperationsData(rows), (error: CrossdockError) => {
    assert.deepEqual([error.status, error.message], [400, "1 field is wrong"]);
    assert.deepEqual(error.faults, [{ ...fault, pointer: "/operations/1003/date" }]);
    return true;
  });
  const synced = await syncMakeOperationsData(rows);

  assert.deepEqual(synced, { success: true, message: "Successfully synced 1200 operations records", synced_count: 1_200 });
  assert.deepEqual([asked[0]?.url, asked[0]?.authorization], ["https://api.example/api/make-operations/sync", "Bearer cdk_1"]);
  assert.deepEqual(asked[3]?.body, { operations: rows.slice(1_000) });
});

test("a client is found by its slug, and none where there is none", async () => {
  const clients = (...ids: string[]) => ({ success: true, data: { clients: ids.map((id) => ({ id })), next_cursor: null } });
  const { asked, fetch } = api([200, clients("cli_1")], [200, clients()]);
  configure({ url: "https://api.example", token: async () => "jwt", fetch });
  assert.equal(await getClientIdBySlug("harbour inn"), "cli_1");
  assert.equal(await getClientIdBySlug("nobody"), null);
  assert.deepEqual([asked[0]?.url, asked[0]?.authorization], ["https://api.example/api/v1/clients?slug=harbour%20inn", "Bearer jwt"]);
});

test("whatever answers, it is told with its status and when to try again", async () => {
  const { fetch } = api([503, "<html>", { "retry-after": "2" }]);
  configure({ url: "https://api.example", key: "cdk_1", fetch });
  await assert.rejects(syncMakeOperationsData([row(0)]), (error: CrossdockError) => {
    assert.deepEqual([error.status, error.message, error.retryAfter], [503, "the API answered 503", 2]);
    return true;
  });
  await assert.rejects(getClientIdBySlug("inn"), /configure a person's token/);
});
