import { PostgresStore } from '../../src/postgres/store.ts';
import { user } from '../../src/testing/samples.ts';

// Stores a message at an instant, and prints what instants this process then sees, whatever its time zone.
const [url = '', schema = '', agentId = '', instant = ''] = process.argv.slice(2);
const store = new PostgresStore({ connectionString: url, max: 1 }, undefined, { schema });
const at = new Date(instant);
await store.commit(agentId, { info: {}, messages: [user('x')], at, expectedVersion: 0 });
await store.saveInfo(agentId, { status: 'idle' });
const day = { createdAfter: '2024-03-31', createdBefore: '2024-04-01', order: 'asc' } as const;
const messages = await store.queryMessages(day);
const before = await store.queryMessages({ agentId, createdBefore: at });
const since = await store.queryMessages({ agentId, createdAfter: at });
const info = await store.loadInfo(agentId);
console.log(
  JSON.stringify({
    offset: at.getTimezoneOffset(),
    messages: messages.map((message) => message.createdAt.toISOString()),
    counts: [before.length, since.length],
    updatedSecondsAgo: Math.round((Date.now() - (info?.updatedAt.getTime() ?? 0)) / 10_000),
  }),
);
await store.close();
