import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AgentExistsError, AgentNotFoundError, ValidationError } from '../../src/errors.ts';
import type { Message } from '../../src/model/message.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { Engine } from '../../src/sql/engine.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import {
  answers,
  asks,
  conversation,
  createAgent,
  toolResult,
  toolUse,
  user,
} from '../../src/testing/samples.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

/** What is seen of a store, and done within its work. */
interface Watched {
  /** Transactions that lock, read and then write. */
  scripts: number;
  /** Happens once, right before a batch is written. */
  meanwhile?: (() => Promise<unknown>) | undefined;
}

type Counting = ExtendedStore & Watched;

function watch(store: Watched, engine: Engine): Engine {
  const { driver } = engine.context;
  const batch = driver.batch.bind(driver);
  driver.batch = async (rows) => {
    const { meanwhile } = store;
    store.meanwhile = undefined;
    await meanwhile?.();
    return batch(rows);
  };
  const transact = driver.transact.bind(driver);
  driver.transact = (script) => {
    store.scripts += 1;
    return transact(script);
  };
  return engine;
}

class CountingSqliteStore extends SqliteStore implements Counting {
  scripts = 0;
  meanwhile: Watched['meanwhile'];
  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return watch(this, await super.connect(signal));
  }
}

class CountingPostgresStore extends PostgresStore implements Counting {
  scripts = 0;
  meanwhile: Watched['meanwhile'];
  protected override async connect(signal: AbortSignal): Promise<Engine> {
    return watch(this, await super.connect(signal));
  }
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Stores on one new database. */
type Open = () => Promise<() => Counting>;

const openSqlite: Open = async () => {
  const directory = await makeTemporaryDirectory();
  closing.push(() => removeDirectory(directory));
  return () => closed(new CountingSqliteStore(join(directory, 'agents.db')));
};

function onPostgres(): Open {
  const database = postgresDatabase('postgres18');
  return async () => {
    const { url, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    closing.push(() => dropSchema(schema));
    return () => closed(new CountingPostgresStore({ connectionString: url, max: 2 }, undefined, { schema }));
  };
}

function closed<T extends Counting>(store: T): T {
  closing.push(() => store.close());
  return store;
}

/** Two turns with a call each: user 0, asks 1, answers 2, user 3, asks 4, answers 5. */
const TURNS: Message[] = [user('one'), asks('t1'), answers('t1'), user('two'), asks('t2'), answers('t2')];
const DONE = ['t1', 't2'].map((toolCallId) => ({ toolCallId, state: 'completed' as const, output: 'x' }));

async function createTurns(store: ExtendedStore): Promise<void> {
  const metadata = { customer: { tier: 'gold' }, 'a.b': 1, odd: '\ud800' };
  await createAgent(store, 'a', TURNS, { templateId: 't', userId: 'u', metadata });
  await store.saveToolCallRecords('a', DONE);
}

/** A record opens `early` before `t3` is asked for in message 6; message 8 asks for it. */
async function askLate(store: ExtendedStore): Promise<void> {
  await store.saveToolCallRecords('a', [{ toolCallId: 'early', toolName: 'x', state: 'completed' }]);
  await store.appendMessages('a', [asks('t3'), answers('t3')]);
  await store.appendMessages('a', [asks('early'), answers('early'), user('three')]);
}

interface Case {
  what: string;
  /** After `createTurns`. */
  prepare?(store: ExtendedStore): Promise<unknown>;
  source?: string;
  at?: string | number;
  messages: number;
  /** The calls' states in the fork. */
  calls: string[];
}

/** What one batch does. */
const QUICK: Case[] = [
  { what: 'the whole', messages: 6, calls: ['completed', 'completed'] },
  { what: 'the whole, by its number', at: 6, messages: 6, calls: ['completed', 'completed'] },
  { what: 'a part that ends with a result', at: 3, messages: 3, calls: ['completed'] },
  { what: 'a part that ends before the next call', at: 4, messages: 4, calls: ['completed'] },
  { what: 'the first message', at: 1, messages: 1, calls: [] },
  {
    what: 'a snapshot',
    prepare: async (store) => {
      await store.saveSnapshot('a', { id: 's' });
      await store.appendMessages('a', [user('three'), asks('t3'), answers('t3')]);
    },
    at: 's',
    messages: 6,
    calls: ['completed', 'completed'],
  },
  {
    what: 'a fork that went on',
    prepare: async (store) => {
      await store.fork('a', { agentId: 'b' });
      await store.appendMessages('b', [user('three')]);
    },
    source: 'b',
    messages: 7,
    calls: ['completed', 'completed'],
  },
  {
    what: 'a part of what a fork added',
    prepare: async (store) => {
      await store.fork('a', { agentId: 'b', at: 3 });
      await store.appendMessages('b', conversation(4));
    },
    source: 'b',
    at: 5,
    messages: 5,
    calls: ['completed'],
  },
  {
    what: 'what another branch took over in a rewrite',
    prepare: async (store) => {
      await store.fork('a', { agentId: 'b' });
      await store.saveMessages('a', [...TURNS.slice(0, 3), user('other')]);
    },
    messages: 4,
    calls: ['completed'],
  },
  {
    what: 'calls that were answered late or in the message that asked',
    prepare: async (store) => {
      const own: Message = { role: 'assistant', content: [toolUse('p'), toolResult('p')] };
      await store.appendMessages('a', [asks('late'), user('wait'), answers('late'), own, user('end')]);
    },
    at: 10,
    messages: 10,
    calls: ['completed', 'completed', 'pending', 'pending'],
  },
  {
    what: 'a part after a message that asked for an earlier call',
    prepare: askLate,
    at: 10,
    messages: 10,
    calls: ['completed', 'completed', 'completed', 'pending'],
  },
  {
    what: 'an agent that another store wrote to',
    prepare: (store) => store.appendMessages('a', [user('three')]),
    messages: 7,
    calls: ['completed', 'completed'],
  },
  {
    what: 'a fork that added nothing',
    prepare: (store) => store.fork('a', { agentId: 'b' }),
    source: 'b',
    messages: 6,
    calls: ['completed', 'completed'],
  },
];

/** What takes a look under locks. */
const SLOW: Case[] = [
  {
    what: 'a part before a message that asked for an earlier call',
    prepare: askLate,
    at: 8,
    messages: 8,
    calls: ['completed', 'completed', 'completed', 'pending'],
  },
  { what: 'nothing', at: 0, messages: 0, calls: [] },
  { what: 'a part that ends with a call', at: 5, messages: 5, calls: ['completed', 'sealed'] },
  {
    what: 'a part whose call was answered late',
    prepare: (store) => store.appendMessages('a', [asks('late'), user('wait'), answers('late')]),
    at: 8,
    messages: 8,
    calls: ['completed', 'completed', 'sealed'],
  },
  {
    what: 'a call without a result',
    prepare: (store) => store.appendMessages('a', [asks('open')]),
    messages: 7,
    calls: ['completed', 'completed', 'sealed'],
  },
  {
    what: 'a call that awaits its decision',
    prepare: (store) =>
      store.commit('a', {
        messages: [asks('open')],
        toolCalls: [{ toolCallId: 'open', state: 'approval_required' }],
      }),
    messages: 7,
    calls: ['completed', 'completed', 'approval_required'],
  },
  {
    what: 'a call that no message asked for',
    prepare: (store) =>
      store.saveToolCallRecords('a', [{ toolCallId: 'n', toolName: 'x', state: 'completed' }]),
    messages: 6,
    calls: ['completed', 'completed', 'completed'],
  },
  {
    what: 'a snapshot in the middle of a call',
    prepare: (store) => store.saveSnapshot('a', { id: 's', messages: TURNS.slice(0, 5) }),
    at: 's',
    messages: 5,
    calls: ['completed', 'sealed'],
  },
  {
    what: 'a snapshot with messages of its own',
    prepare: (store) => store.saveSnapshot('a', { id: 's', messages: conversation(2) }),
    at: 's',
    messages: 2,
    calls: [],
  },
  {
    what: 'a part that a fork shares',
    prepare: async (store) => {
      await store.fork('a', { agentId: 'b' });
      await store.appendMessages('b', [user('three')]);
    },
    source: 'b',
    at: 3,
    messages: 3,
    calls: ['completed'],
  },
];

describe.each([
  ['SQLite', openSqlite],
  ['PostgreSQL', onPostgres()],
])('forks on %s', (_name, open) => {
  async function check({ prepare, source = 'a', at, messages, calls }: Case, scripts: number): Promise<void> {
    const another = await open();
    const store = another();
    await createTurns(store);
    await store.saveTodos('a', { todos: ['x'] });
    // Outdated in some cases: what is remembered is no reason to fork something else.
    await prepare?.(another());
    const [before] = await store.querySessions({ metadata: { 'customer.tier': 'gold' }, limit: 1 });
    const scriptsBefore = store.scripts;
    await store.fork(source, { agentId: 'fork', ...(at === undefined ? {} : { at }) });
    expect(store.scripts - scriptsBefore).toBe(scripts);

    const reader = another();
    const { info, ...loaded } = await reader.loadAgent('fork');
    const parent = await reader.loadAgent(source);
    if (at !== 's') expect(loaded.messages).toEqual(parent.messages.slice(0, messages));
    expect(loaded.messages).toHaveLength(messages);
    expect(loaded.toolCalls.map(({ state }) => state)).toEqual(calls);
    expect(loaded.todos).toEqual(
      messages === parent.messages.length && at !== 's' ? parent.todos : undefined,
    );
    expect(info).toMatchObject({
      templateId: 't',
      userId: 'u',
      metadata: parent.info.metadata,
      configVersion: parent.info.configVersion,
      lineage: [...parent.info.lineage, source],
      version: 1,
      status: calls.includes('approval_required') ? 'awaiting_approval' : 'idle',
    });
    expect(info.createdAt.getTime()).toBeGreaterThanOrEqual(Number(before?.createdAt));
    const found = await reader.querySessions({ metadata: { 'customer.tier': 'gold' } });
    expect(found.map(({ agentId }) => agentId)).toContain('fork');

    // Both go on, the store that forked on what it remembers of them.
    await store.appendMessages('fork', [user('of the fork')]);
    await store.appendMessages(source, [user('of the source')]);
    await store.saveMessages(source, [user('new')]);
    expect(await reader.loadMessages('fork')).toEqual([...loaded.messages, user('of the fork')]);
    expect((await reader.loadToolCallRecords('fork')).map(({ state }) => state)).toEqual(calls);
    expect((await reader.checkConsistency()).issues).toEqual([]);
    await store.delete(source);
    expect(await reader.loadMessages('fork')).toEqual([...loaded.messages, user('of the fork')]);
    expect((await reader.checkConsistency()).issues).toEqual([]);
  }

  it.each(QUICK)('of $what are one batch', (fork) => check(fork, 0));

  it.each(SLOW)('of $what take their locks', (fork) => check(fork, 1));

  it('many at once are one batch, too', async () => {
    const another = await open();
    const store = another();
    await createTurns(store);
    await store.saveTodos('a', { todos: ['x'] });
    const before = store.scripts;
    const forks = await store.batchFork('a', 150);
    expect(store.scripts).toBe(before);
    expect(new Set(forks).size).toBe(150);
    for (const id of [forks[0] ?? '', forks[149] ?? '']) {
      expect(await store.loadMessages(id)).toEqual(TURNS);
      expect((await store.loadTodos(id))?.todos).toEqual(['x']);
      expect(await store.loadInfo(id)).toMatchObject({ lineage: ['a'], userId: 'u' });
    }
    const filter = { metadata: { 'customer.tier': 'gold', 'a\\.b': 1 }, limit: 1_000 };
    expect(await store.querySessions(filter)).toHaveLength(151);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('of calls without a result, many at once, each have their own', async () => {
    const another = await open();
    const store = another();
    await createTurns(store);
    await store.appendMessages('a', [asks('open')]);
    for (const id of await store.batchFork('a', 3)) {
      const calls = await store.loadToolCallRecords(id);
      expect(calls.map(({ state }) => state)).toEqual(['completed', 'completed', 'sealed']);
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('write a lineage of any ids, whatever its length', async () => {
    const another = await open();
    const store = another();
    const ids = ['"quoted"', "it's", 'ünï', '[]', 'a,b', '{x}'];
    await createAgent(store, ids[0] ?? '', [user('x')]);
    for (const [n, id] of ids.entries()) {
      if (n === 0) continue;
      await store.fork(ids[n - 1] ?? '', { agentId: id });
      await store.appendMessages(id, [user(id)]);
    }
    expect((await store.loadInfo(ids.at(-1) ?? ''))?.lineage).toEqual(ids.slice(0, -1));
  });

  it('under an id that exists are refused, and nothing is written', async () => {
    const another = await open();
    const store = another();
    await createTurns(store);
    await createAgent(store, 'b');
    await expect(store.fork('a', { agentId: 'b' })).rejects.toBeInstanceOf(AgentExistsError);
    await store.appendMessages('a', [user('x')]);
    await expect(store.fork('a', { agentId: 'a' })).rejects.toBeInstanceOf(AgentExistsError);
    expect(await store.list()).toEqual(['a', 'b']);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('beyond the conversation are judged by what is stored', async () => {
    const another = await open();
    const store = another();
    await createTurns(store);
    await store.fork('a');
    await another().appendMessages('a', conversation(3));
    expect(await store.loadMessages(await store.fork('a', { at: 8 }))).toHaveLength(8);
    await expect(store.fork('a', { at: 10 })).rejects.toBeInstanceOf(ValidationError);
  });

  it.each([
    ['the source', 'a', 4],
    ['a fork of it', 'b', 3],
    ['a snapshot of a fork of it', 'b', 's'],
  ])('of %s keep an open call that is about to change', async (_what, source, at) => {
    const another = await open();
    const [store, forker] = [another(), another()];
    await createAgent(store, 'a', [user('x'), asks('t'), answers('t'), user('y')]);
    await forker.fork('a', { agentId: 'b' });
    await forker.saveSnapshot('b', { id: 's' });
    await forker.appendMessages('b', [user('z')]);
    await store.appendMessages('a', [user('z')]);
    store.meanwhile = () => forker.fork(source, { agentId: 'c', at });
    await store.saveToolCallRecords('a', [{ toolCallId: 't', state: 'completed', output: 1 }]);
    const states = ['a', 'b', 'c'].map(async (id) => (await forker.loadToolCallRecords(id))[0]?.state);
    expect(await Promise.all(states)).toEqual(['completed', 'pending', 'pending']);
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it.each([
    ['rewritten', (store: ExtendedStore) => store.saveMessages('a', [...TURNS.slice(0, 3), user('new')])],
    ['deleted', (store: ExtendedStore) => store.delete('a')],
    ['forked', (store: ExtendedStore) => store.fork('a')],
    [
      'asked for a call',
      (store: ExtendedStore) => store.appendMessages('a', [asks('late'), user('wait'), answers('late')]),
    ],
  ])('of what is %s meanwhile are planned anew', async (_what, change) => {
    const another = await open();
    const [store, other] = [another(), another()];
    await createTurns(store);
    await store.fork('a');
    store.meanwhile = () => change(other);
    const fork = await store.fork('a').catch((error: unknown) => error);
    if (typeof fork === 'string') {
      expect(await other.loadMessages(fork)).toEqual(await other.loadMessages('a'));
      expect(await other.loadToolCallRecords(fork)).toEqual(await other.loadToolCallRecords('a'));
    } else expect(fork).toBeInstanceOf(AgentNotFoundError);
    expect((await other.checkConsistency()).issues).toEqual([]);
  });

  it('win against a writer that never stops', async () => {
    const another = await open();
    const [store, other] = [another(), another()];
    await createTurns(store);
    const interfere = async () => {
      await other.appendMessages('a', [user('x')]);
      store.meanwhile = interfere;
    };
    store.meanwhile = interfere;
    expect(await store.fork('a', { agentId: 'fork' })).toBe('fork');
    store.meanwhile = undefined;
    expect((await other.checkConsistency()).issues).toEqual([]);
  });

  it('keep an open call as it is when the source goes on with it', async () => {
    const another = await open();
    const [store, forker] = [another(), another()];
    const stateOf = async (id: string) => (await store.loadToolCallRecords(id)).at(-1)?.state;
    for (let round = 0; round < 10; round += 1) {
      const source = `source-${round}`;
      await createAgent(store, source, [user('x'), asks('t'), answers('t'), user('y')]);
      // Of a fork's beginning, too: there the call is the first agent's.
      await forker.fork(source, { agentId: `${source}-other`, at: 4 });
      await forker.appendMessages(`${source}-other`, [user('z')]);
      const [, ...forks] = await Promise.all([
        store.saveToolCallRecords(source, [{ toolCallId: 't', state: 'completed', output: 1 }]),
        forker.fork(source),
        forker.fork(`${source}-other`, { at: 3 }),
      ]);
      const states = await Promise.all(forks.map(stateOf));
      await store.saveToolCallRecords(source, [{ toolCallId: 't', state: 'completed', output: 1 }]);
      expect(await Promise.all(forks.map(stateOf))).toEqual(states);
      for (const state of states) expect(['pending', 'completed']).toContain(state);
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
  });
});
