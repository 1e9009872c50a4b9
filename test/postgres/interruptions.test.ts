import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { StoreUnavailableError } from '../../src/errors.ts';
import type { TextBlock } from '../../src/model/message.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { answers, asks, conversation, createAgent, progress, user } from '../../src/testing/samples.ts';
import { outcomes, pause, until } from '../../src/testing/timing.ts';
import { type Cut, Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

async function newSchema(): Promise<string> {
  const { createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  return schema;
}

/** A store whose connections go through a network that can break, and one beside it that sees the truth. */
async function behindNetwork(): Promise<{ store: PostgresStore; network: Network; witness: PostgresStore }> {
  const { url } = await database();
  const schema = await newSchema();
  const network = await Network.to(url);
  opened({ close: () => network.refuse() });
  const witness = opened(new PostgresStore({ connectionString: url, max: 2 }, undefined, { schema }));
  const through = { connectionString: network.url(url), max: 3 };
  const store = opened(new PostgresStore(through, undefined, { schema }));
  return { store, network, witness };
}

async function unavailable(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(StoreUnavailableError);
  return (error as Error).message;
}

describe('a connection that breaks in the middle of a commit', () => {
  const stored: Record<Cut, number> = { before: 0, within: 0, after: 1 };

  it.each(Object.keys(stored) as Cut[])('(%s the request) leaves all of it or nothing', async (when) => {
    const { store, network, witness } = await behindNetwork();
    await createAgent(store, 'a', [user('x')]);
    network.cut(when, 'the marked text');
    const change = {
      messages: [asks('call'), user('the marked text')],
      toolCalls: [{ toolCallId: 'call', state: 'completed' as const, output: 1 }],
      events: [progress('step')],
    };
    expect(await unavailable(store.commit('a', change))).toMatch(/unknown\. Load the agent to see/);
    expect(network.cutHappened).toBe(true);
    expect(await witness.loadMessages('a')).toHaveLength(1 + 2 * stored[when]);
    expect(await witness.loadToolCallRecords('a')).toHaveLength(stored[when]);
    expect((await witness.loadInfo('a'))?.version).toBe(1 + stored[when]);
    expect((await witness.checkConsistency()).issues).toEqual([]);
    // The same store goes on from what is stored, whatever it was.
    await store.appendMessages('a', [user('next')]);
    expect((await witness.loadMessages('a')).at(-1)).toEqual(user('next'));
  });

  it.each(Object.keys(stored) as Cut[])(
    '(%s the request) is made good by repeating it under its operationId',
    async (when) => {
      const { store, network, witness } = await behindNetwork();
      await createAgent(store, 'a', [user('x')]);
      const change = {
        messages: [user('the marked text')],
        events: [progress('once')],
        operationId: 'step 1',
      };
      network.cut(when, 'the marked text');
      await unavailable(store.commit('a', change));
      const result = await store.commit('a', change);
      expect(result).toEqual({ version: 2, messageCount: 2, cursor: 1 });
      expect(await store.commit('a', change)).toEqual(result);
      expect(await witness.loadMessages('a')).toEqual([user('x'), user('the marked text')]);
      expect((await witness.checkConsistency()).issues).toEqual([]);
    },
  );

  it.each(Object.keys(stored) as Cut[])('(%s the request) creates the agent or does not', async (when) => {
    const { store, network, witness } = await behindNetwork();
    await store.list();
    network.cut(when, 'the marked text');
    await unavailable(createAgent(store, 'a', [user('the marked text')]));
    expect(await witness.list()).toEqual(when === 'after' ? ['a'] : []);
    expect((await witness.checkConsistency()).issues).toEqual([]);
  });
});

/** The statement as it goes over the wire, with its end: not the word within another one. */
const COMMIT = 'COMMIT\u0000';

describe('a connection that breaks in the middle of a transaction', () => {
  it.each(['before', 'after'] as const)('(%s its end) leaves a fork or none', async (when) => {
    const { store, network, witness } = await behindNetwork();
    await createAgent(store, 'a', [...conversation(4), asks('open')]);
    network.cut(when, COMMIT);
    await unavailable(store.fork('a', { agentId: 'b' }));
    expect(await witness.list()).toEqual(when === 'after' ? ['a', 'b'] : ['a']);
    expect((await witness.checkConsistency()).issues).toEqual([]);
    await store.fork('a', { agentId: 'c' });
    expect(await witness.loadMessages('c')).toEqual(await witness.loadMessages('a'));
  });

  it.each(['before', 'after'] as const)('(%s its end) deletes an agent or does not', async (when) => {
    const { store, network, witness } = await behindNetwork();
    await createAgent(store, 'a', conversation(4));
    await store.fork('a', { at: 2, agentId: 'b' });
    network.cut(when, COMMIT);
    await unavailable(store.delete('a'));
    expect(await witness.exists('a')).toBe(when === 'before');
    expect(await store.exists('a')).toBe(when === 'before');
    await store.delete('a');
    expect((await witness.checkConsistency()).issues).toEqual([]);
    expect(await witness.loadMessages('b')).toEqual(conversation(2));
  });

  it.each(['before', 'after'] as const)('(%s its end) rewrites or does not', async (when) => {
    const { store, network, witness } = await behindNetwork();
    await createAgent(store, 'a', [user('1'), asks('x'), answers('x'), user('2')]);
    // Not the end of the look at what is stored, which comes first.
    network.cut(when, COMMIT, 'FOR UPDATE');
    await unavailable(store.saveMessages('a', [user('1'), user('new')]));
    const expected = [
      user('1'),
      ...(when === 'after' ? [user('new')] : [asks('x'), answers('x'), user('2')]),
    ];
    expect(await witness.loadMessages('a')).toEqual(expected);
    expect(await store.loadMessages('a')).toEqual(expected);
    expect((await witness.checkConsistency()).issues).toEqual([]);
  });
});

describe('connections that the server ends', () => {
  /** `terminate` ends the connections whose newest statement begins so, and says how many. */
  async function named(max: number): Promise<{
    store: PostgresStore;
    terminate(beginning?: string): Promise<number>;
  }> {
    const { url, client } = await database();
    const name = await newSchema();
    const connection = { connectionString: url, max, application_name: name };
    return {
      store: opened(new PostgresStore(connection, undefined, { schema: name })),
      async terminate(beginning = '') {
        const { rows } = await client.query(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = $1 and starts_with(query, $2)`,
          [name, beginning],
        );
        return rows.length;
      },
    };
  }

  it('while they rest are replaced without anybody noticing', async () => {
    const { store, terminate } = await named(4);
    await createAgent(store, 'a');
    await Promise.all(Array.from({ length: 8 }, () => store.loadInfo('a')));
    expect(await terminate()).toBeGreaterThan(1);
    await pause(100);
    await store.appendMessages('a', [user('x')]);
    expect(await store.loadMessages('a')).toEqual([user('x')]);
  });

  it('while they work cost the calls under way, and nothing that was acknowledged', async () => {
    const { store, terminate } = await named(4);
    const ids = Array.from({ length: 8 }, (_, n) => `a${n}`);
    for (const id of ids) await createAgent(store, id);
    const acknowledged = new Map(ids.map((id): [string, string[]] => [id, []]));
    let failures = 0;
    let done = false;
    const writers = ids.map(async (id) => {
      for (let n = 0; !done; n += 1) {
        try {
          await store.commit(id, { messages: [user(`${n}`)], events: [progress(`${n}`)] });
          acknowledged.get(id)?.push(`${n}`);
        } catch (error) {
          expect(error).toBeInstanceOf(StoreUnavailableError);
          failures += 1;
        }
      }
    });
    for (let round = 0; round < 5 || failures === 0; round += 1) {
      await pause(60);
      await terminate();
    }
    done = true;
    await Promise.all(writers);
    expect(failures).toBeGreaterThan(0);
    for (const id of ids) {
      const texts = (await store.loadMessages(id)).map(({ content }) => (content[0] as TextBlock).text);
      for (const text of acknowledged.get(id) ?? [])
        expect(texts.filter((one) => one === text)).toEqual([text]);
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
  });

  it('after close harm nobody', async () => {
    const { store, terminate } = await named(4);
    await createAgent(store, 'a');
    await Promise.all(Array.from({ length: 8 }, () => store.loadInfo('a')));
    await Promise.all([store.close(), terminate()]);
    await pause(50);
  });

  it('are found again by a watcher', async () => {
    const { store, terminate } = await named(4);
    await createAgent(store, 'a');
    const seen: string[] = [];
    const end = new AbortController();
    const watching = (async () => {
      for await (const item of store.watch('a', { signal: end.signal })) {
        if (item.kind === 'event') seen.push(item.event.type);
      }
    })();
    await store.appendEvent('a', progress('first'));
    await expect.poll(() => seen).toEqual(['first']);
    // It listens after its first look.
    await expect.poll(() => terminate('LISTEN')).toBe(1);
    await store.appendEvent('a', progress('second'));
    await expect.poll(() => seen, { timeout: 5_000 }).toEqual(['first', 'second']);
    end.abort();
    await watching;
  });
});

describe('a server that crashes', () => {
  let server: PostgresServer;

  beforeAll(async () => {
    // What is acknowledged must be on disk: with the tests' usual settings a crash may lose it.
    server = await startPostgres({ major: 15, durable: true });
  });

  afterAll(() => server.stop());

  it('and starts again has everything that was acknowledged, and the store goes on', async () => {
    const store = opened(new PostgresStore({ connectionString: server.url, max: 4 }));
    const ids = ['a', 'b', 'c', 'd'];
    for (const id of ids) await createAgent(store, id);
    const acknowledged = new Map(ids.map((id) => [id, 0]));
    const writers = ids.map(async (id) => {
      for (let n = 0; ; n += 1) {
        await store.commit(id, { messages: [asks(`${n}`), answers(`${n}`)], events: [progress(`${n}`)] });
        acknowledged.set(id, n + 1);
      }
    });
    const ended = outcomes(writers);
    await until(() => [...acknowledged.values()].every((count) => count > 0), 'each writer has written');
    process.kill(await pidOfAnotherBackend(server.url), 'SIGKILL');
    const { errors } = await ended;
    for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError);

    await expect.poll(() => store.list().catch(() => 'down'), { timeout: 20_000 }).toEqual(ids);
    for (const id of ids) {
      const count = acknowledged.get(id) ?? 0;
      expect(count).toBeGreaterThan(0);
      const { info, messages } = await store.loadAgent(id);
      // One more may have been stored than was acknowledged.
      expect([count, count + 1]).toContain(messages.length / 2);
      expect(info.messageCount).toBe(messages.length);
    }
    expect((await store.checkConsistency()).issues).toEqual([]);
    await store.appendMessages('a', [user('on')]);
  });
});

/** A server whose session dies this way restarts all others: it can't trust what they share. */
async function pidOfAnotherBackend(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return Number(rows[0]?.pid);
}
