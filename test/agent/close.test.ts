import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { Store } from '../../src/store/store.ts';
import { withoutSqlite } from '../support/environment.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { create, failureOf, resume, says } from './harness.ts';
import { startProvider, type TestProvider } from './provider/provider.ts';

const database = postgresDatabase('postgres18');
let provider: TestProvider;
const warnings: Error[] = [];
const note = (warning: Error) => warnings.push(warning);

beforeEach(async () => {
  provider = await startProvider('anthropic', [says('Hello.')]);
  process.on('warning', note);
});

afterEach(async () => {
  process.off('warning', note);
  warnings.length = 0;
  await provider.stop();
});

/** An agent whose store goes away in the middle of what its program does, and what the program is told. */
async function failureInBody(store: Store, goAway: () => unknown): Promise<unknown> {
  const agent = await create(store, provider);
  const body = async () => {
    try {
      await goAway();
      throw new Error('the first error');
    } finally {
      await agent.close();
    }
  };
  return failureOf(body());
}

async function expectWarning(): Promise<void> {
  await new Promise(setImmediate);
  const told = warnings.filter(({ name }) => name === 'KodeWarning');
  expect(told).toMatchObject([
    { code: 'LEASE_NOT_GIVEN_BACK', message: expect.stringMatching(/agent "a".*from \d{4}-/) },
  ]);
}

it('M7 close() hides no error while PostgreSQL is down', async () => {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  const network = await Network.to(url);
  const store = new PostgresStore(network.url(url), undefined, { schema });
  try {
    expect(await failureInBody(store, () => network.refuse())).toMatchObject({ message: 'the first error' });
    await expectWarning();
  } finally {
    await store.close().catch(() => undefined);
    await dropSchema(schema);
  }
});

it.skipIf(withoutSqlite)(
  'M7 close() hides no error while another program has locked the SQLite file',
  async () => {
    const directory = await makeTemporaryDirectory();
    const path = join(directory, 'agents.db');
    const store = new SqliteStore(path, undefined, { busyTimeoutMs: 50 });
    const other = new Database(path);
    try {
      const failure = await failureInBody(store, () => other.exec('BEGIN IMMEDIATE'));
      expect(failure).toMatchObject({ message: 'the first error' });
      await expectWarning();
    } finally {
      other.close();
      await store.close();
      await removeDirectory(directory);
    }
  },
);

it.skipIf(withoutSqlite)('M7 close() gives the lease back, and warns of nothing', async () => {
  const store = new SqliteStore(':memory:');
  const agent = await create(store, provider);
  await agent.close();
  await agent.close();
  await (await resume(store, provider)).close();
  await new Promise(setImmediate);
  expect(warnings).toEqual([]);
  await store.close();
});
