import { asMachine, asPerson, CrossdockError } from "./api.js";
import type { Operations, Synced } from "./operations.js";

/** The API takes so many rows at once. */
const AT_ONCE = 1_000;

/**
 * Stores what scenarios used. Sending it again changes nothing, so whatever became of a call, it may be repeated. More than
 * 1,000 rows go one thousand after the other.
 *
 * @throws {CrossdockError} With all that is wrong with the rows; their pointers count from the first of all rows.
 */
export async function syncMakeOperationsData(operations: readonly Operations[]): Promise<Synced> {
  let count = 0;
  for (let from = 0; from < operations.length; from += AT_ONCE) {
    const some = operations.slice(from, from + AT_ONCE);
    const stored = await asMachine("/api/make-operations/sync", { operations: some }).catch((error: unknown) => {
      throw error instanceof CrossdockError ? behind(error, from) : error;
    });
    count += (stored as Synced).synced_count;
  }
  const records = count === 1 ? "record" : "records";
  return { success: true, message: `Successfully synced ${count} operations ${records}`, synced_count: count };
}

/** The fault of a row, as its place among all rows. */
function behind(error: CrossdockError, from: number): CrossdockError {
  const pointer = (own: string): string =>
    own.replace(/^\/operations\/(\d+)/, (_, n: string) => `/operations/${Number(n) + from}`);
  const faults = error.faults.map((fault) => ({ ...fault, pointer: pointer(fault.pointer) }));
  return new CrossdockError(error.status, error.message, faults, error.retryAfter);
}

/** The id of the client that has the slug; `null` where none has, or none that the person may see. */
export async function getClientIdBySlug(slug: string): Promise<string | null> {
  const answer = await asPerson(`/api/v1/clients?slug=${encodeURIComponent(slug)}`);
  const { data } = answer as { data: { clients: { id: string }[] } };
  return data.clients[0]?.id ?? null;
}
