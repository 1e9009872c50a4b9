import { SqliteStore } from '../../src/sqlite/store.ts';

// Neither the store nor its thread is closed: the process ends because nothing is left to do.
const store = new SqliteStore(process.argv[2] ?? '');
await store.saveInfo('a', { templateId: 't' });
const { totalAgents } = await store.aggregateStats({});
console.log(`agents: ${totalAgents}`);
