import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Channel, NewEvent } from '../../src/model/agent.ts';
import { eventRows } from '../../src/sql/write/event-rows.ts';
import { collect, createAgent } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { OpenSqliteStore } from './stores.ts';

const KEYS = { tree: 1, agent: 2 };

function encoded(count: number, length = 10, channel: Channel = 'progress') {
  return Array.from({ length: count }, () => ({ channel, payload: JSON.stringify('x'.repeat(length - 2)) }));
}

/** Of each row: the last ordinal, the number of events, the channels, the instant. */
function shapes(moments: Parameters<typeof eventRows>[1]) {
  return eventRows(KEYS, moments).map((row) => row.slice(2, 6));
}

describe('rows of events', () => {
  it('hold what happened at one instant, with the bits of its channels', () => {
    const moments = [
      { events: [...encoded(2), ...encoded(1, 10, 'monitor')], at: 5 },
      { events: encoded(1, 10, 'control'), at: 5 },
      { events: encoded(1), at: 6 },
    ];
    expect(shapes(moments)).toEqual([
      [3, 4, 7, 5],
      [4, 1, 1, 6],
    ]);
    const [row] = eventRows(KEYS, [{ events: encoded(2, 4), at: 1 }]);
    expect(row).toEqual([1, 2, 1, 2, 1, 1, '["xx","xx"]']);
  });

  it('are none without events', () => {
    expect(eventRows(KEYS, [{ events: [], at: 1 }])).toEqual([]);
    expect(
      shapes([
        { events: [], at: 1 },
        { events: encoded(1), at: 2 },
        { events: [], at: 2 },
      ]),
    ).toEqual([[0, 1, 1, 2]]);
  });

  it('are bounded in number and length, but for an event that is longer alone', () => {
    expect(shapes([{ events: encoded(600), at: 1 }]).map(([last, count]) => [last, count])).toEqual([
      [255, 256],
      [511, 256],
      [599, 88],
    ]);
    const long = [...encoded(3, 30_000), ...encoded(1, 200_000), ...encoded(2, 30_000)];
    expect(shapes([{ events: long, at: 1 }]).map(([last, count]) => [last, count])).toEqual([
      [1, 2],
      [2, 1],
      [3, 1],
      [5, 2],
    ]);
  });

  it('are read from anywhere within, of each channel, over many pages', async () => {
    const directory = await makeTemporaryDirectory();
    const store = new OpenSqliteStore(join(directory, 'agents.db'), directory, { durability: 'normal' });
    const channels = ['progress', 'progress', 'control', 'progress', 'monitor'] as const;
    const written: NewEvent[] = [];
    await createAgent(store, 'a');
    for (let n = 0; n < 500; n += 1) {
      const events = Array.from({ length: n % 4 }, (_, i): NewEvent => {
        const channel = channels[(n * 3 + i) % 5] ?? 'progress';
        return { channel, type: `${n}.${i}` };
      });
      written.push(...events);
      await store.commit('a', { events, at: new Date(n) });
    }
    const numbered = written.map((event, i) => ({ cursor: i + 1, event }));
    for (const channel of [undefined, 'progress', 'control', 'monitor'] as const) {
      for (const since of [0, 1, 2, 3, 400, 401, 402, 749, 750]) {
        const read = await collect(store.readEvents('a', { channel, since }));
        expect(read.map(({ cursor, event }) => ({ cursor, event }))).toEqual(
          numbered.filter(({ cursor, event }) => cursor > since && (!channel || event.channel === channel)),
        );
      }
    }
    await store.close();
    await removeDirectory(directory);
  });

  it('X4 that hold one event each are read by few statements, and no step of the reader is a call', async () => {
    const store = await new OpenSqliteStore(':memory:').open();
    await createAgent(store, 'a');
    for (let n = 0; n < 3_000; n += 1) {
      await store.commit('a', { events: [{ channel: 'progress', type: 'tick', n }], at: new Date(n) });
    }
    const read = await collect(store.readEvents('a'));
    expect(read.map(({ event }) => event.n)).toEqual(read.map((_, n) => n));
    expect(read).toHaveLength(3_000);
    // Pages of 200, 400, 800, 1,000 and 600 rows, and the end.
    expect(store.getMetrics().operations.readEvents?.count).toBeLessThanOrEqual(6);
    await store.close();
  });
});
