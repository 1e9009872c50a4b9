import { afterEach, expect, it } from 'vitest';
import { type Clock, systemClock, withClock } from '../../src/model/clock.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createAgent, progress, user } from '../../src/testing/samples.ts';
import { Network } from '../support/network.ts';
import { postgresDatabase } from '../support/postgres-database.ts';

const DAY = 24 * 60 * 60_000;
const MINUTE = 60_000;

const database = postgresDatabase('postgres18');
const open: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A machine's clock that is wrong by so much. */
function clockOff(by: number): Clock & { by: number } {
  const clock = { ...systemClock, by, now: () => Date.now() + clock.by };
  return clock;
}

async function opened(clock: Clock): Promise<{ store: PostgresStore; trips: () => number }> {
  const { url, createSchema, dropSchema } = await database();
  const schema = await createSchema();
  const network = await Network.to(url);
  const connection = { connectionString: network.url(url), max: 1 };
  const store = new PostgresStore(connection, undefined, withClock(clock, { schema }));
  open.push({ close: () => dropSchema(schema) }, { close: () => network.refuse() }, store);
  return { store: await store.open(), trips: () => network.roundTrips };
}

function expectNow(instant: Date | undefined): void {
  expect(Math.abs((instant?.getTime() ?? 0) - Date.now())).toBeLessThan(MINUTE);
}

it.each([3 * DAY, -3 * DAY])(
  'X6 a machine whose clock is wrong by %i ms gives the time of the database',
  async (by) => {
    const { store } = await opened(clockOff(by));
    await createAgent(store, 'a', [user('x')]);
    await store.appendEvent('a', progress('x'));
    await store.saveDocument('a', { kind: 'compression', name: 'n', content: 1 });
    const fork = await store.fork('a');
    for (const id of ['a', fork]) {
      const info = await store.loadInfo(id);
      expectNow(info?.createdAt);
      expectNow(info?.updatedAt);
    }
    for (const message of await store.queryMessages()) expectNow(message.createdAt);
    for await (const { bookmark } of store.readEvents('a')) expectNow(new Date(bookmark.timestamp));
    expectNow((await store.loadDocument('a', 'compression', 'n'))?.createdAt);
  },
);

it('X6 what is in the future is what the database says, not a machine whose clock is wrong', async () => {
  const { store } = await opened(clockOff(3 * DAY));
  await createAgent(store, 'a');
  const at = new Date(Date.now() + 2 * DAY);
  await expect(store.commit('a', { messages: [user('x')], at })).rejects.toMatchObject({ field: 'at' });
  const behind = await opened(clockOff(-3 * DAY));
  await createAgent(behind.store, 'a');
  await behind.store.commit('a', { messages: [user('x')], at: new Date() });
});

it('X6 a clock that is set while the store is open costs one question, and no wrong stamp', async () => {
  const clock = clockOff(0);
  const { store, trips } = await opened(clock);
  await createAgent(store, 'a', [user('0')]);
  await store.appendMessages('a', [user('0')]);
  const tripsOf = async (work: () => Promise<unknown>) => {
    const before = trips();
    await work();
    return trips() - before;
  };
  expect(await tripsOf(() => store.appendMessages('a', [user('1')]))).toBe(1);
  clock.by = 3 * DAY;
  expect(await tripsOf(() => store.appendMessages('a', [user('2')]))).toBe(2);
  expect(await tripsOf(() => store.appendMessages('a', [user('3')]))).toBe(1);
  expect(await tripsOf(() => store.appendEvent('a', progress('x')))).toBe(1);
  clock.by = 0;
  expect(await tripsOf(() => store.appendEvent('a', progress('y')))).toBe(2);
  expectNow((await store.loadInfo('a'))?.updatedAt);
  for (const { createdAt } of await store.queryMessages()) expectNow(createdAt);
});
