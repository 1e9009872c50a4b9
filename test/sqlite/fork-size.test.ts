import { statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import { SqliteStore } from '../../src/sqlite/store.ts';
import { conversation, createAgent } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

/** 250 bytes in 12 scalars. */
const METADATA = {
  project: 'airline-support',
  tenant: 'acme-europe',
  tier: 'gold',
  region: 'eu-central-1',
  experiment: 'prompt-v14',
  attempt: 3,
  customer: { id: 'cus_8f2a91c7', segment: 'enterprise', locale: 'de-DE' },
  budget: 12.5,
  review: true,
  note: 'x'.repeat(11),
};

it('a hundred forks of a thousand messages add at most 130 KB to the file', async () => {
  expect(JSON.stringify(METADATA)).toHaveLength(250);
  const directory = await makeTemporaryDirectory();
  const path = join(directory, 'agents.db');
  const store = new SqliteStore(path);
  try {
    await createAgent(store, 'a', conversation(1_000), { userId: 'u', metadata: METADATA });
    const db = new Database(path);
    const size = () => {
      db.pragma('wal_checkpoint(TRUNCATE)');
      return statSync(path).size;
    };
    const before = size();
    for (let n = 0; n < 5; n += 1) await store.batchFork('a', 100);
    expect((size() - before) / 5).toBeLessThanOrEqual(130_000);
    db.close();
  } finally {
    await store.close();
    await removeDirectory(directory);
  }
});
