import type { Operations, OperationType } from "./operations.js";

/** A run of a scenario. */
export interface Execution {
  /** Runs with a warning count as neither success nor error. */
  status: "success" | "warning" | "error";
  operations_consumed: number;
  cost_usd?: number | string;
  /** When it began: RFC 3339. */
  timestamp: string;
}

/** Runs of a scenario, as its webhook tells of them. */
export interface ExecutionWebhook {
  scenario_id: string;
  scenario_name: string;
  executions: readonly Execution[];
  client_id?: string;
  operation_type?: OperationType;
}

/**
 * What the runs come to, a row for each day, as `syncMakeOperationsData` takes it. Days are cut in `timeZone`: give the
 * tenant's own. Costs are added up exactly, in ten-thousandths of a dollar.
 *
 * It counts what it is given and remembers nothing: a run in two webhooks counts twice, and a later row of a day takes the
 * place of the earlier one. Post the webhook itself to `/api/make-operations/webhook` to have each run counted once.
 *
 * @throws {RangeError} Where a timestamp or an amount cannot be read.
 */
export function calculateOperationsFromWebhook(webhook: ExecutionWebhook, timeZone = "UTC"): Operations[] {
  const day = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" });
  const days = new Map<string, Sums>();
  for (const execution of webhook.executions) {
    const date = day.format(new Date(execution.timestamp));
    const sums = days.get(date) ?? { operations: 0, cost: 0n, succeeded: 0, failed: 0 };
    sums.operations += execution.operations_consumed;
    sums.cost += tenThousandths(execution.cost_usd ?? 0);
    if (execution.status === "success") sums.succeeded += 1;
    if (execution.status === "error") sums.failed += 1;
    days.set(date, sums);
  }
  const { executions: _, ...about } = webhook;
  return [...days].sort(([one], [other]) => (one < other ? -1 : 1)).map(([date, sums]) => ({
    ...about,
    date,
    operations_count: sums.operations,
    cost_usd: dollars(sums.cost),
    success_count: sums.succeeded,
    error_count: sums.failed,
  }));
}

interface Sums {
  operations: number;
  cost: bigint;
  succeeded: number;
  failed: number;
}

function tenThousandths(amount: number | string): bigint {
  const [, whole, decimals = ""] = /^(\d{1,12})(?:\.(\d{1,4})0*)?$/.exec(String(amount)) ?? [];
  if (whole === undefined) throw new RangeError(`${amount} is not an amount of dollars with up to 4 decimals`);
  return BigInt(whole + decimals.padEnd(4, "0"));
}

function dollars(tenThousandths: bigint): string {
  const digits = tenThousandths.toString().padStart(5, "0");
  return `${digits.slice(0, -4)}.${digits.slice(-4)}`;
}
