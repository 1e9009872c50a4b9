import type { LeaseHolder } from '../../errors.ts';
import { number, numberOrNull } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver, Row } from '../driver.ts';
import { statement } from '../statement.ts';

/** A lease as it was given. */
export interface Grant {
  readonly keys: AgentKeys;
  readonly agentId: string;
  readonly token: number;
  readonly holderId: string;
  readonly holder: LeaseHolder;
  readonly ttlMs: number;
}

/**
 * Each renewal shows, also one at an instant that was there before, because the clock was set back: whoever waits
 * for the lease takes one that stands still for dead.
 */
const RENEWED = `CASE WHEN lease_expires_at = {now} + lease_ttl THEN lease_expires_at + 1 ELSE {now} + lease_ttl END`;

/**
 * One statement for all leases. On PostgreSQL it waits for nobody: a row that somebody has locked would keep all
 * the others from being renewed.
 */
const RENEW = statement('renew_leases', renewal('SKIP LOCKED'));
/** The same, where it may wait for whoever has locked the row. */
const RENEW_PATIENTLY = statement('renew_lease_patiently', renewal(''));

/** `locked`: what becomes of rows that somebody has locked, where that can be said. */
function renewal(locked: string): { sqlite: string; postgres: string } {
  return {
    sqlite: `UPDATE {heads} SET lease_expires_at = ${RENEWED}
   FROM json_each($1) held
   WHERE tree = held.value ->> 0 AND agent = held.value ->> 1 AND lease_token = held.value ->> 2
     AND lease_holder_id = held.value ->> 3 AND lease_expires_at > {now}
   RETURNING agent, lease_token AS token, lease_expires_at AS renewed, 1 AS ours`,
    postgres: `WITH asked AS (
     SELECT (held ->> 0)::bigint AS tree, (held ->> 1)::bigint AS agent, (held ->> 2)::bigint AS token, held ->> 3 AS holder
     FROM json_array_elements($1::json) held),
   free AS (
     SELECT h.tree, h.agent, a.token FROM asked a JOIN {heads} h ON h.tree = a.tree AND h.agent = a.agent
     WHERE h.lease_token = a.token AND h.lease_holder_id = a.holder
     FOR NO KEY UPDATE OF h ${locked}),
   renewed AS (
     UPDATE {heads} h SET lease_expires_at = ${RENEWED} FROM free f
     WHERE h.tree = f.tree AND h.agent = f.agent AND h.lease_token = f.token AND h.lease_expires_at > {now}
     RETURNING h.agent, h.lease_token, h.lease_expires_at)
   SELECT a.agent, a.token, r.lease_expires_at AS renewed, CASE WHEN h.lease_expires_at > {now} THEN 1 ELSE 0 END AS ours
   FROM asked a
   LEFT JOIN {heads} h
     ON h.tree = a.tree AND h.agent = a.agent AND h.lease_token = a.token AND h.lease_holder_id = a.holder
   LEFT JOIN renewed r ON r.agent = a.agent AND r.lease_token = a.token`,
  };
}

const RELEASE = statement('release_leases', {
  sqlite: `UPDATE {heads} SET lease_holder_id = NULL, lease_expires_at = NULL, lease_by = NULL
   FROM json_each($1) held
   WHERE tree = held.value ->> 0 AND agent = held.value ->> 1 AND lease_token = held.value ->> 2
     AND lease_holder_id = held.value ->> 3`,
  postgres: `UPDATE {heads} h SET lease_holder_id = NULL, lease_expires_at = NULL, lease_by = NULL
   FROM json_array_elements($1::json) held
   WHERE h.tree = (held ->> 0)::bigint AND h.agent = (held ->> 1)::bigint AND h.lease_token = (held ->> 2)::bigint
     AND h.lease_holder_id = held ->> 3`,
});

/** Until when a lease lives now; `busy` when its row is locked and will have to be asked for again. */
export type Renewal = number | 'busy' | 'lost';

/** Leases that ran out, were taken over or whose agents were deleted are lost. */
export async function renewLeases(driver: Driver, grants: readonly Grant[]): Promise<Map<Grant, Renewal>> {
  return renewalsIn(await driver.urgent(RENEW, [listOf(grants)]), grants);
}

/** Waits in the database's line for its row, so long at most. Others are renewed meanwhile. */
export async function renewPatiently(driver: Driver, grant: Grant, timeoutMs: number): Promise<Renewal> {
  const rows = await driver.bounded({ timeoutMs }).write(RENEW_PATIENTLY, [listOf([grant])]);
  return renewalsIn(rows, [grant]).get(grant) ?? 'lost';
}

function renewalsIn(rows: readonly Row[], grants: readonly Grant[]): Map<Grant, Renewal> {
  const found = new Map(rows.map((row) => [`${row.agent}:${row.token}`, row]));
  return new Map(
    grants.map((grant): [Grant, Renewal] => {
      const row = found.get(`${grant.keys.agent}:${grant.token}`);
      const expiresAt = numberOrNull(row?.renewed ?? null);
      return [grant, expiresAt ?? (row && number(row.ours) === 1 ? 'busy' : 'lost')];
    }),
  );
}

/** Only what these holders have: a lease that somebody took over isn't touched. */
export async function releaseLeases(driver: Driver, grants: readonly Grant[]): Promise<void> {
  await driver.write(RELEASE, [listOf(grants)]);
}

function listOf(grants: readonly Grant[]): string {
  return JSON.stringify(grants.map(({ keys, token, holderId }) => [keys.tree, keys.agent, token, holderId]));
}
