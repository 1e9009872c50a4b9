import { PostgresStore } from '../../src/postgres/store.ts';
import { createAgent, user } from '../../src/testing/samples.ts';

// Opens a store on a schema that may be empty, and creates an agent in it.
const [url = '', schema = '', agentId = ''] = process.argv.slice(2);
const store = new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
await createAgent(store, agentId, [user(agentId)]);
await store.close();
