import type { LeaseHolder } from '../../errors.ts';
import { number } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Dialect } from '../port/dialect.ts';
import type { Driver } from '../port/driver.ts';
import { statement } from '../port/statement.ts';

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

/** Leases of one list, with their heads. */
function held({ rowsOfList }: Dialect): string {
  const asked = rowsOfList('$1', { tree: 'bigint', agent: 'bigint', token: 'bigint', holder: 'text' });
  return `(${asked}) AS a CROSS JOIN {heads} AS h
     WHERE h.tree = a.tree AND h.agent = a.agent AND h.lease_token = a.token AND h.lease_holder_id = a.holder`;
}

/**
 * One statement for all leases. It waits for nobody: a row that somebody has locked would keep all the others from
 * being renewed.
 */
const RENEW = statement('renew_leases', (dialect) => renewal(dialect, true));
/** The same, where it may wait for whoever has locked the row. */
const RENEW_PATIENTLY = statement('renew_lease_patiently', (dialect) => renewal(dialect, false));

function renewal(dialect: Dialect, skipLocked: boolean): string {
  return `UPDATE {heads} SET lease_expires_at = ${RENEWED}
   FROM (SELECT h.tree AS of_tree, h.agent AS of_agent, a.token AS held_token FROM ${held(dialect)}
     ${dialect.lockRow({ against: 'changes', of: 'h', skipLocked })}) AS held
   WHERE tree = of_tree AND agent = of_agent AND lease_token = held_token AND lease_expires_at > {now}
   RETURNING agent, lease_token AS token, lease_expires_at AS renewed`;
}

/** Those of a list that live: what wasn't renewed and does was locked. */
const LIVING = statement(
  'living_leases',
  (dialect) => `SELECT h.agent, h.lease_token AS token FROM ${held(dialect)} AND h.lease_expires_at > {now}`,
);

const RELEASE = statement(
  'release_leases',
  (dialect) => `UPDATE {heads} SET lease_holder_id = NULL, lease_expires_at = NULL, lease_by = NULL
   FROM (SELECT h.tree AS of_tree, h.agent AS of_agent, a.token AS held_token, a.holder AS held_by
     FROM ${held(dialect)}) AS held
   WHERE tree = of_tree AND agent = of_agent AND lease_token = held_token AND lease_holder_id = held_by`,
);

/** Until when a lease lives now; `busy` when its row is locked and will have to be asked for again. */
export type Renewal = number | 'busy' | 'lost';

/** Leases that ran out, were taken over or whose agents were deleted are lost. */
export async function renewLeases(driver: Driver, grants: readonly Grant[]): Promise<Map<Grant, Renewal>> {
  const rows = await driver.urgent(RENEW, [listOf(grants)]);
  const renewed = new Map(rows.map((row) => [keyOf(row.agent, row.token), number(row.renewed)]));
  const others = grants.filter((grant) => !renewed.has(keyOf(grant.keys.agent, grant.token)));
  const living = others.length > 0 ? await driver.urgent(LIVING, [listOf(others)]) : [];
  const busy = new Set(living.map((row) => keyOf(row.agent, row.token)));
  return new Map(
    grants.map((grant): [Grant, Renewal] => {
      const key = keyOf(grant.keys.agent, grant.token);
      return [grant, renewed.get(key) ?? (busy.has(key) ? 'busy' : 'lost')];
    }),
  );
}

/** Waits in the database's line for its row, so long at most. Others are renewed meanwhile. */
export async function renewPatiently(driver: Driver, grant: Grant, timeoutMs: number): Promise<Renewal> {
  const [row] = await driver.bounded({ timeoutMs }).write(RENEW_PATIENTLY, [listOf([grant])]);
  return row ? number(row.renewed) : 'lost';
}

function keyOf(agent: unknown, token: unknown): string {
  return `${agent}:${token}`;
}

/** Only what these holders have: a lease that somebody took over isn't touched. */
export async function releaseLeases(driver: Driver, grants: readonly Grant[]): Promise<void> {
  await driver.write(RELEASE, [listOf(grants)]);
}

function listOf(grants: readonly Grant[]): string {
  return JSON.stringify(grants.map(({ keys, token, holderId }) => [keys.tree, keys.agent, token, holderId]));
}
