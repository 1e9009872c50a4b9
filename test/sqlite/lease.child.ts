import { SqliteStore } from '../../src/sqlite/store.ts';

// Holds an agent's lease until it is killed.
const [path = '', agentId = '', ttlMs = ''] = process.argv.slice(2);
const store = new SqliteStore(path);
const lease = await store.acquireAgentLock(agentId, { ttlMs: Number(ttlMs) });
console.log(lease.token);
setInterval(() => undefined, 1_000);
