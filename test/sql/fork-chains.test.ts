import { describe, expect, it } from 'vitest';
import type { ExtendedStore } from '../../src/store/store.ts';
import { assistant, createAgent, user } from '../../src/testing/samples.ts';
import { onPostgres, onSqlite, type Watched } from './watched-stores.ts';

type Store = ExtendedStore & Watched;

/** Each a fork of the one before, with a message of its own: `fork 0` is the first. */
async function makeChain(store: Store, name: string, length: number): Promise<void> {
  await createAgent(store, `${name} 0`, [user('look'), assistant('there')]);
  for (let i = 1; i < length; i += 1) {
    await store.fork(`${name} ${i - 1}`, { agentId: `${name} ${i}` });
    await store.appendMessages(`${name} ${i}`, [user(`message ${i}`)]);
  }
}

async function counted(store: Store, work: () => Promise<unknown>): Promise<number> {
  store.statements = 0;
  await work();
  return store.statements;
}

describe.each([
  ['SQLite', onSqlite],
  ['PostgreSQL', onPostgres()],
])('a chain of forks on %s', (_name, open) => {
  it('X1 takes as many statements for a deletion, however long it is', async () => {
    const store = await open();
    const costs: number[][] = [];
    for (const length of [8, 24]) {
      const name = `chain of ${length}`;
      await makeChain(store, name, length);
      costs.push([
        await counted(store, () => store.delete(`${name} ${length - 1}`)),
        await counted(store, () => store.delete(`${name} ${length >> 1}`)),
        await counted(store, () => store.delete(`${name} 0`)),
      ]);
    }
    expect(costs[1]).toEqual(costs[0]);
    expect(await store.checkConsistency()).toMatchObject({ issues: [] });
  });

  it('X1 takes some statements for each agent that was deleted before, and none for those that live', async () => {
    const store = await open();
    await makeChain(store, 'fork', 24);
    const costs: number[] = [];
    for (let i = 0; i < 16; i += 1) costs.push(await counted(store, () => store.delete(`fork ${i}`)));
    const growth = costs.slice(3).map((cost, i) => cost - (costs[i + 2] ?? 0));
    expect(new Set(growth).size).toBe(1);
    expect(growth[0]).toBeLessThanOrEqual(6);
    expect(await store.loadMessages('fork 23')).toHaveLength(25);
    expect(await store.queryMessages({ limit: 100 })).toHaveLength(25);
    for (let i = 16; i < 24; i += 1) await store.delete(`fork ${i}`);
    expect(await store.queryMessages({ limit: 100 })).toEqual([]);
    expect(await store.checkConsistency()).toMatchObject({ issues: [] });
  });

  it('X1 is left by a rewrite with a few statements for each of its agents', async () => {
    const store = await open();
    const costs: number[] = [];
    for (const length of [8, 16, 24]) {
      const name = `chain of ${length}`;
      await makeChain(store, name, length);
      const last = `${name} ${length - 1}`;
      costs.push(await counted(store, () => store.saveMessages(last, [user('look')])));
      expect(await store.loadMessages(last)).toEqual([user('look')]);
    }
    const [eight = 0, sixteen = 0, all = 0] = costs;
    expect(all - sixteen).toBe(sixteen - eight);
    expect(all - sixteen).toBeLessThanOrEqual(8 * 3);
    expect(await store.checkConsistency()).toMatchObject({ issues: [] });
  });
});
