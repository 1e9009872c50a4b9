import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CorruptDataError } from '../../src/errors.ts';
import type { Driver } from '../../src/sql/port/driver.ts';
import { statement } from '../../src/sql/port/statement.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { answers, asks, createAgent, user } from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { OpenPostgresStore, OpenSqliteStore } from './stores.ts';

interface Opened {
  store: ExtendedStore;
  driver: Driver;
  close(): Promise<void>;
}

async function openSqlite(): Promise<Opened> {
  const directory = await makeTemporaryDirectory();
  const store = new OpenSqliteStore(`${directory}/agents.db`, directory);
  const engine = await store.engine();
  return {
    store,
    driver: engine.context.driver,
    async close() {
      await engine.close();
      await store.close();
      await removeDirectory(directory);
    },
  };
}

function openPostgres(): () => Promise<Opened> {
  const database = postgresDatabase('postgres18');
  return async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new OpenPostgresStore({ connectionString: url, max: 2 }, undefined, { schema });
    const engine = await store.engine();
    return {
      store,
      driver: engine.context.driver,
      async close() {
        await engine.close();
        await store.close();
        await dropSchema(schema);
      },
    };
  };
}

/** Where the text is cut off, and what the error has to name. */
const DAMAGES = {
  message: ["UPDATE {messages} SET payload = '{' WHERE seq = 1", /message 1 of agent "a"/],
  'message that is two': ["UPDATE {messages} SET payload = '1,2' WHERE seq = 1", /message 1 of agent "a"/],
  input: ["UPDATE {tool_calls} SET input = '{' WHERE call_seq = 1", /input of tool call 1 \("two"\)/],
  output: ["UPDATE {tool_calls} SET output = '{' WHERE call_seq = 1", /output of tool call 1 \("two"\)/],
  'error text': ["UPDATE {tool_calls} SET error = '{' WHERE call_seq = 1", /error of tool call 1 \("two"\)/],
  approval: [
    "UPDATE {tool_calls} SET approval = '{' WHERE call_seq = 1",
    /approval of tool call 1 \("two"\)/,
  ],
  audit: ["UPDATE {tool_calls} SET audit = '{' WHERE call_seq = 1", /audit trail of tool call 1 \("two"\)/],
  metadata: ["UPDATE {agents} SET metadata = '{'", /metadata of agent "a"/],
  lineage: ["UPDATE {agents} SET lineage = '{'", /lineage of agent "a"/],
  'to-dos': ["UPDATE {todos} SET payload = '{'", /to-dos of agent "a"/],
  compaction: ["UPDATE {compactions} SET messages = '{'", /compaction at 3 of agent "a"/],
  document: ["UPDATE {documents} SET payload = '{'", /document "n"/],
} as const;

type Read = (store: ExtendedStore) => Promise<unknown>;
type Readers = Partial<Record<keyof typeof DAMAGES, Read[]>>;

const loadMessages: Read = (store) => store.loadMessages('a');
const loadAgent: Read = (store) => store.loadAgent('a');
const ofCalls: Read[] = [
  loadAgent,
  (store) => store.loadToolCallRecords('a'),
  (store) => store.queryToolCalls({}),
  (store) => store.queryToolCalls({ agentId: 'a' }),
];
const ofInfo: Read[] = [loadAgent, (store) => store.loadInfo('a'), (store) => store.querySessions()];

const READERS: Readers = {
  message: [
    loadMessages,
    loadAgent,
    (store) => store.queryMessages({ agentId: 'a' }),
    (store) => store.queryMessages({ agentId: 'a', createdAfter: 0 }),
    (store) => store.queryMessages({ role: 'assistant' }),
  ],
  'message that is two': [loadMessages, loadAgent],
  input: ofCalls,
  output: ofCalls,
  'error text': ofCalls,
  approval: ofCalls,
  audit: ofCalls,
  metadata: ofInfo,
  lineage: ofInfo,
  'to-dos': [loadAgent, (store) => store.loadTodos('a')],
  compaction: [loadAgent, (store) => store.loadContext('a'), (store) => store.loadCompactions('a')],
  document: [
    (store) => store.loadDocument('a', 'media-cache', 'n'),
    (store) => store.listDocuments('a', 'media-cache'),
  ],
};

describe.each([
  ['SQLite', openSqlite],
  ['PostgreSQL', openPostgres()],
] as const)('damaged rows on %s', (_name, openStore) => {
  let opened: Opened;

  beforeEach(async () => {
    opened = await openStore();
    const { store } = opened;
    await createAgent(store, 'a', [user('x'), asks('one', 'two'), answers('one')]);
    await store.commit('a', {
      toolCalls: [
        { toolCallId: 'one', state: 'completed', output: 1 },
        { toolCallId: 'two', state: 'failed', output: 2, error: 'no' },
      ],
      todos: { todos: ['look'] },
      compaction: { seq: 1, messages: [user('so far')] },
    });
    await store.saveDocument('a', { kind: 'media-cache', name: 'n', content: 1 });
  });

  afterEach(() => opened.close());

  async function damage(text: string): Promise<void> {
    await opened.driver.write(statement('damage', text), []);
  }

  it.each(Object.entries(READERS))('a damaged %s is an error of its own, by name', async (what, reads) => {
    const [text, named] = DAMAGES[what as keyof typeof DAMAGES];
    for (const read of reads) await read(opened.store);
    await damage(text);
    for (const read of reads) {
      const error = await read(opened.store).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(CorruptDataError);
      expect((error as Error).message).toMatch(named);
    }
  });

  it('an iterator gives what comes before it', async () => {
    await damage("UPDATE {messages} SET payload = '{' WHERE seq = 2");
    const seqs: number[] = [];
    const iterating = async () => {
      for await (const { seq } of opened.store.iterateMessages({ agentId: 'a', order: 'asc' }))
        seqs.push(seq);
    };
    await expect(iterating()).rejects.toThrow(CorruptDataError);
    expect(seqs).toEqual([0, 1]);
  });
});
