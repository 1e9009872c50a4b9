import type { Dialect } from '../port/dialect.ts';
import { statement } from '../port/statement.ts';

/** Why an agent is `failed` that left no reason of its own. */
const NO_PROGRESS =
  '{"code":"NO_PROGRESS","message":"Workers were given this agent as often as maxAttempts allows, and none ended its turn.","at":';

/**
 * Leases agents that nobody holds: those that were cut off while running, those whose approvals are decided, and
 * those whose last attempt failed, when it is their time. Who has had all its attempts is `failed` instead, and
 * given to nobody: its rows come back without a holder. What was left alone longest comes first.
 */
export const CLAIM = statement('claim_resumable', claimText);

/** $1: holder, $2: time to live, $3: limit, $4: who holds it, $5: attempts. */
function claimText({ least, useIndex, lockRow }: Dialect): string {
  const locking = lockRow({ against: 'use', skipLocked: true });
  const given = (value: string, other: string) => `CASE WHEN attempts < $5 THEN ${value} ELSE ${other} END`;
  const delay = `CASE WHEN attempts = 0 THEN 0
      ELSE 1000 * (CAST(1 AS bigint) << CAST(${least('attempts - 1', '10')} AS int)) END`;
  const free = '(lease_holder_id IS NULL OR lease_expires_at <= {now})';
  const due = '(retry_at <= {now} OR attempts >= $5)';
  return `UPDATE {heads} SET revision = revision + 1,
       lease_token = ${given('lease_token + 1', 'lease_token')},
       lease_holder_id = ${given('CAST($1 AS text)', 'NULL')},
       lease_by = ${given('CAST($4 AS text)', 'NULL')},
       lease_ttl = ${given('CAST($2 AS bigint)', 'lease_ttl')},
       lease_expires_at = ${given('{now} + CAST($2 AS bigint)', 'NULL')},
       status = ${given('status', '4')},
       failure = ${given('failure', `coalesce(failure, '${NO_PROGRESS}' || {now} || '}')`)},
       retry_at = ${given(`{now} + ${delay}`, 'NULL')},
       attempts = ${given('attempts + 1', 'attempts')}
     WHERE (tree, agent) IN (
       SELECT tree, agent FROM (
         SELECT * FROM (SELECT tree, agent, updated_at FROM {heads}
           WHERE status <> 0 AND status IN (1, 2) AND (status = 1 OR pending_approvals = 0) AND ${free}
             AND (retry_at IS NULL OR ${due})
           ORDER BY updated_at, agent LIMIT $3 ${locking}) AS cut_off
         UNION ALL
         SELECT * FROM (SELECT tree, agent, updated_at FROM {heads} ${useIndex('heads_to_retry')}
           WHERE retry_at IS NOT NULL AND status = 3 AND ${free} AND ${due}
           ORDER BY updated_at, agent LIMIT $3 ${locking}) AS tried) AS resumable
       ORDER BY updated_at, agent LIMIT $3)
     RETURNING tree, agent, lease_token, lease_holder_id, lease_expires_at, updated_at, attempts,
       (SELECT a.agent_id FROM {agents} a WHERE a.tree = {heads}.tree AND a.agent = {heads}.agent) AS agent_id`;
}
