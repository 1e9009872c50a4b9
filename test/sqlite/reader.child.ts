import { SqliteStore } from '../../src/sqlite/store.ts';

// Neither the store nor its thread is closed: the process ends because nothing is left to do.
const store = new SqliteStore(process.argv[2] ?? '');
// The metadata makes the database large enough for a thread.
await store.saveInfo('a', { templateId: 't', metadata: { filling: 'x'.repeat(300_000) } });
const { totalAgents } = await store.aggregateStats({});
console.log(`agents: ${totalAgents}`);
