/** What a scenario's operations were for. */
export type OperationType = "call" | "admin" | "marketing" | "notification" | "evaluation" | "general";

/** How a scenario is doing. */
export type ScenarioStatus = "active" | "paused" | "error" | "disabled";

/** What one scenario used on one day. The same client, day, scenario, type and call sent again takes its place. */
export interface Operations {
  /** The client that it was for; without it and `client_slug`, the company. */
  client_id?: string;
  /** The client, by its slug. */
  client_slug?: string;
  /** The one call that the operations belong to. */
  call_id?: string;
  scenario_name: string;
  /** Make.com's id of it. Without it the name tells scenarios apart. */
  scenario_id?: string;
  /** `general` unless given. */
  operation_type?: OperationType;
  /** `YYYY-MM-DD`. */
  date: string;
  operations_count: number;
  /** How many there may be in a day. */
  operations_limit?: number;
  /** US dollars with up to 4 decimals; as text it never goes through a float. */
  cost_usd?: number | string;
  success_count: number;
  error_count: number;
  /** `active` unless given. */
  status?: ScenarioStatus;
  description?: string;
}

/** What was stored. */
export interface Synced {
  success: true;
  message: string;
  synced_count: number;
}
