import { afterEach, describe, expect, it } from 'vitest';
import { PostgresStore } from '../../src/postgres/store.ts';
import { collect, createAgent, progress } from '../../src/testing/samples.ts';
import { until, within } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

function opened<T extends { close(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

async function setUp(): Promise<{ store: PostgresStore; writer: PostgresStore; network: Network }> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  opened({ close: () => dropSchema(schema) });
  const network = await Network.to(url);
  opened({ close: () => network.refuse() });
  const writer = opened(new PostgresStore({ connectionString: url, max: 1 }, undefined, { schema }));
  await createAgent(writer, 'a');
  const connection = { connectionString: network.url(url), max: 2 };
  const store = opened(new PostgresStore(connection, undefined, { schema, callTimeoutMs: 500 }));
  return { store, writer, network };
}

describe('P4 a watch', () => {
  it('goes on from its cursor when the server comes back, however it was away', async () => {
    const { store, writer, network } = await setUp();
    const seen: number[] = [];
    const end = new AbortController();
    const watching = (async () => {
      for await (const item of store.watch('a', { signal: end.signal })) {
        if (item.kind === 'event') seen.push(item.cursor);
      }
    })();
    await writer.appendEvent('a', progress('1'));
    await until(() => seen.length === 1, 'the first event');
    await network.refuse();
    await writer.appendEvent('a', progress('2'));
    await network.accept();
    await until(() => seen.length === 2, 'the second event');
    network.swallow();
    await writer.appendEvent('a', progress('3'));
    await expect(store.list()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    network.deliver();
    await until(() => seen.length === 3, 'the third event');
    expect(seen).toEqual([1, 2, 3]);
    end.abort();
    await watching;
  });

  it('ends with its signal, although the server answers nobody', async () => {
    const { store, network } = await setUp();
    const end = new AbortController();
    const watching = collect(store.watch('a', { signal: end.signal }));
    await store.list();
    network.swallow();
    end.abort();
    expect(await within(watching, 'the watch', 400)).toEqual([]);
  });

  it('is one of many without a warning', async () => {
    const { store } = await setUp();
    const warnings: Error[] = [];
    const warn = (warning: Error) => warnings.push(warning);
    process.on('warning', warn);
    const watches = Array.from({ length: 12 }, () => collect(store.watch('a')));
    const metrics = () => store.getMetrics().operations.watch;
    await store.appendEvent('a', progress('x'));
    await until(() => (metrics()?.count ?? 0) >= 12, 'all have seen the event');
    await store.close();
    await Promise.all(watches);
    process.off('warning', warn);
    expect(warnings).toEqual([]);
  });
});
