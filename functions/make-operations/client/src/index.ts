export { configure, type Settings, CrossdockError, type Fault } from "./api.js";
export { calculateOperationsFromWebhook, type Execution, type ExecutionWebhook } from "./calculate.js";
export { getClientIdBySlug, syncMakeOperationsData } from "./sync.js";
export type { Operations, OperationType, ScenarioStatus, Synced } from "./operations.js";
