import { register } from 'node:module';
import { Agent } from '../../src/agent/agent.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';

// What an agent does where the package "ai" can't be loaded, as lines of JSON.

const missing = `export function resolve(name, context, next) {
  if (name === 'ai') throw new Error('There is no package "ai" here.');
  return next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(missing)}`);

const store = new SqliteStore(':memory:');
await store.saveInfo('there', { templateId: 'clerk' });
const options = { store, model: 'a-model', template: { id: 'clerk' } };
const calls = {
  create: () => Agent.create({ ...options, agentId: 'new' }),
  open: () => Agent.open('new', options),
  resume: () => Agent.resume('there', options),
};
for (const [name, call] of Object.entries(calls)) {
  const error: unknown = await call().catch((reason: unknown) => reason);
  const { code, message } = error as { code?: string; message?: string };
  console.log(JSON.stringify({ name, code, message }));
}
console.log(
  JSON.stringify({ agents: await store.list(), token: (await store.acquireAgentLock('there')).token }),
);
await store.close();
