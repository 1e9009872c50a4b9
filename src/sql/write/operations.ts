import { type KnownOperation, REMEMBERED_COMMITS, REMEMBERED_MS } from '../../model/commit-rules.ts';
import { number } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Driver } from '../port/driver.ts';
import { run } from '../port/driver.ts';
import { statement } from '../port/statement.ts';

const FIND = statement(
  'find_operation',
  `SELECT fingerprint, version, message_count, cursor FROM {operations}
   WHERE tree = $1 AND agent = $2 AND operation_id = $3`,
);

const TRIM = statement(
  'trim_operations',
  'DELETE FROM {operations} WHERE tree = $1 AND agent = $2 AND version < $3 AND created_at < $4',
);

/** Trimming reads the agent's operations, so it isn't done at every commit. */
const TRIM_EVERY = 256;

export async function findOperation(
  driver: Driver,
  keys: AgentKeys,
  operationId: string,
): Promise<KnownOperation | undefined> {
  const [row] = await driver.read(FIND, [keys.tree, keys.agent, operationId]);
  if (!row) return undefined;
  return {
    fingerprint: String(row.fingerprint),
    result: {
      version: number(row.version),
      messageCount: number(row.message_count),
      cursor: number(row.cursor),
    },
  };
}

/** Forgets operations that are both older than the last 1,000 commits and older than a day. */
export async function trimOperations(
  driver: Driver,
  keys: AgentKeys,
  version: number,
  now: number,
): Promise<void> {
  if (version <= REMEMBERED_COMMITS || version % TRIM_EVERY !== 0) return;
  await driver.transact(function* () {
    yield* run(TRIM, [keys.tree, keys.agent, version - REMEMBERED_COMMITS, now - REMEMBERED_MS]);
  });
}
