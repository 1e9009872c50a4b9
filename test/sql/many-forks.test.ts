import { describe, expect, it } from 'vitest';
import { renderBatch } from '../../src/postgres/batch.ts';
import type { Op } from '../../src/sql/port/batch.ts';
import type { Driver } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import { TABLES } from '../../src/sql/schema/tables.ts';
import { answers, asks, createAgent, user } from '../../src/testing/samples.ts';
import { onPostgres, onSqlite } from './watched-stores.ts';

/** More than fit on the stack as the arguments of one call. */
const FORKS = 130_000;
/** Keys that no agent of these tests is given. */
const FIRST_KEY = 1_000_000_000;

/** The rows of an agent under so many other ids: forking it that often would take a minute. */
async function multiply(driver: Driver, agentId: string): Promise<void> {
  const numbers =
    driver.dialect.name === 'sqlite'
      ? `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${FORKS})`
      : `WITH n (i) AS (SELECT generate_series(1, ${FORKS}))`;
  const changed: Record<string, string> = {
    agent_id: "'fork ' || n.i",
    agent: `${FIRST_KEY} + 2 * n.i`,
    branch: `${FIRST_KEY} + 2 * n.i + 1`,
  };
  for (const table of ['branches', 'heads', 'agents', 'directory'] as const) {
    const columns = Object.keys(TABLES[table].columns);
    const values = columns.map((column) => changed[column] ?? `t.${column}`);
    const text = `INSERT INTO {${table}} (${columns.join(', ')}) ${numbers} SELECT ${values.join(', ')}
      FROM {directory} AS d JOIN {${table}} AS t ON t.tree = d.tree AND t.agent = d.agent CROSS JOIN n
      WHERE d.agent_id = $1`;
    await driver.write(statement('multiply', text), [agentId]);
  }
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres()],
])('an agent with very many forks on %s', (_name, open) => {
  it('X2 is rewritten and deleted with as few statements as any', async () => {
    const store = await open();
    const messages = [user('look'), asks('c1'), answers('c1'), user('and?')];
    await createAgent(store, 'a', messages);
    await store.fork('a', { agentId: 'fork', at: 3 });
    // One with a copy of the open call, which therefore isn't its in the branch that it shares.
    await store.fork('a', { agentId: 'within', at: 2 });
    if (store.driver) await multiply(store.driver, 'fork');
    const last = `fork ${FORKS}`;
    store.statements = 0;
    await store.saveMessages('a', []);
    expect(store.statements).toBeLessThan(100);
    expect(await store.loadMessages('a')).toEqual([]);

    store.statements = 0;
    await store.delete('a');
    expect(store.statements).toBeLessThan(100);
    expect(await store.exists('a')).toBe(false);
    expect(await store.loadMessages(last)).toEqual(messages.slice(0, 3));
    expect(await store.queryToolCalls()).toHaveLength(2);
  }, 120_000);
});

it('X2 as many values are bound for many rows as for two', () => {
  const bound = (rows: number) => {
    const ops = (['messages', 'tool_calls', 'events', 'usage', 'directory'] as const).map((table): Op => {
      const columns = Object.keys(TABLES[table].columns);
      return { kind: 'insert', table, rows: Array.from({ length: rows }, () => columns.map(() => 1)) };
    });
    return renderBatch({ ops }, 'channel').params.length;
  };
  expect(bound(1_000)).toBe(bound(2));
});
