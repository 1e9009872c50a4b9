import { describe, expect, it } from 'vitest';
import { AgentNotFoundError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { conversation, createAgent } from '../../src/testing/samples.ts';
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
});
