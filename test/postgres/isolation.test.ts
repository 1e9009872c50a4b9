import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { AgentNotFoundError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { conversation, createAgent } from '../../src/testing/samples.ts';
import { until } from '../../src/testing/timing.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const ROUNDS = 40;

describe.each(['repeatable read', 'serializable'])('a server whose default isolation is %s', (isolation) => {
  const database = postgresDatabase('postgres15');

  it('changes nothing: a fork has its whole history, or there is none', async () => {
    const shared = await database();
    const schema = await shared.createSchema();
    const options = `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`;
    const open = () =>
      new PostgresStore({ connectionString: shared.url, options, max: 3 }, undefined, { schema });
    const [one, two] = [open(), open()];
    for (let round = 0; round < ROUNDS; round += 1) {
      await createAgent(one, 'a', conversation(4));
      // The position is pinned: a fork there changes no row that the deletion would have to wait for.
      await one.saveSnapshot('a', { id: 's' });
      const [forked, deleted] = await Promise.allSettled([one.fork('a'), two.delete('a')]);
      expect(deleted).toEqual({ status: 'fulfilled', value: undefined });
      if (forked.status === 'rejected') {
        expect(forked.reason).toBeInstanceOf(AgentNotFoundError);
      } else {
        expect(await two.loadMessages(forked.value)).toEqual(conversation(4));
      }
    }
    expect((await one.checkConsistency()).issues).toEqual([]);
    await Promise.all([one.close(), two.close()]);
    await shared.dropSchema(schema);
  });

  it.runIf(isolation === 'serializable')(
    'P6 changes nothing for single reads: what others undo is read again',
    async () => {
      const { url, client, createSchema, dropSchema } = await database();
      const schema = await createSchema();
      const options = '-c default_transaction_isolation=serializable';
      const store = new PostgresStore({ connectionString: url, options, max: 2 }, undefined, { schema });
      await createAgent(store, 'a', conversation(2));
      await createAgent(store, 'b');
      const heads = `${schema}.kode_data_heads`;
      const pivot = new pg.Client({ connectionString: url, options });
      await pivot.connect();
      // It reads what somebody changes next, and changes what the store reads: no order of the three makes sense.
      await pivot.query('begin');
      await pivot.query(`select pinned from ${schema}.kode_data_branches`);
      await client.query('begin isolation level serializable');
      await client.query(`update ${schema}.kode_data_branches set pinned = pinned`);
      await client.query('commit');
      await pivot.query(`update ${heads} set watched_until = watched_until`);
      await pivot.query(`lock table ${heads} in access exclusive mode`);
      const listed = store.querySessions();
      const waiting = `select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%${schema}%'`;
      await until(async () => (await client.query(waiting)).rows.length > 0, 'the query waits');
      await pivot.query('commit');
      expect(await listed).toHaveLength(2);
      await pivot.end();
      await store.close();
      await dropSchema(schema);
    },
  );
});
