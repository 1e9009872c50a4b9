import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkConsistency } from '../../src/sql/check/consistency.ts';
import type { SqlContext } from '../../src/sql/context.ts';
import type { Engine } from '../../src/sql/engine.ts';
import { HEAVY_ROWS } from '../../src/sql/query/heavy.ts';
import { queryMessages } from '../../src/sql/query/messages.ts';
import { iterateSessions, querySessions } from '../../src/sql/query/sessions.ts';
import { aggregateStats } from '../../src/sql/query/statistics.ts';
import { queryToolCalls } from '../../src/sql/query/tool-calls.ts';
import { checkCheck } from '../../src/store/arguments.ts';
import type { SessionQueryFilter } from '../../src/store/filters.ts';
import {
  validateMessageFilter,
  validateSessionFilter,
  validateStatsFilter,
  validateToolCallFilter,
} from '../../src/store/validate-filter.ts';
import { answers, asks, conversation } from '../../src/testing/samples.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { recording } from './recorder.ts';
import { OpenSqliteStore } from './stores.ts';

const FAR = HEAVY_ROWS + 1;
const MESSAGES = FAR + 4;
const FORKS = HEAVY_ROWS;

let directory: string;
let store: OpenSqliteStore;
let engine: Engine;
let context: SqlContext;
let analysed: number;

beforeAll(async () => {
  directory = await makeTemporaryDirectory();
  store = new OpenSqliteStore(join(directory, 'agents.db'), directory, { durability: 'normal' });
  engine = await store.engine();
  await store.saveInfo('a', { templateId: 't' });
  await store.commit('a', { messages: conversation(MESSAGES) });
  await store.commit('a', { messages: [asks('c'), answers('c')] });
  await store.batchFork('a', FORKS);
  const recorder = recording(engine.context.driver);
  context = recorder.context;
  const { driver } = context;
  const analyse = driver.analyse.bind(driver);
  driver.analyse = (script) => {
    analysed += 1;
    return analyse(script);
  };
}, 120_000);

afterAll(async () => {
  await engine.close();
  await store.close();
  await removeDirectory(directory);
});

/** How many of the reads that it takes are made apart. */
async function heavyReadsOf(work: () => Promise<unknown>): Promise<number> {
  analysed = 0;
  await work();
  return analysed;
}

describe('on SQLite, another thread', () => {
  it('makes the statistics of many agents, not those of one', async () => {
    expect(await heavyReadsOf(() => aggregateStats(context, validateStatsFilter(undefined)))).toBe(1);
    expect(await heavyReadsOf(() => aggregateStats(context, validateStatsFilter({ templateId: 't' })))).toBe(
      1,
    );
    expect(await heavyReadsOf(() => aggregateStats(context, 'a'))).toBe(0);
  });

  it('reads what comes after many rows that are skipped', async () => {
    const near = () =>
      queryMessages(context, validateMessageFilter({ offset: HEAVY_ROWS, order: 'asc', limit: 20 }));
    const far = () => queryMessages(context, validateMessageFilter({ offset: FAR, order: 'asc', limit: 20 }));
    expect(await heavyReadsOf(near)).toBe(0);
    expect(await heavyReadsOf(far)).toBe(1);
    expect((await far()).map(({ seq }) => seq)).toEqual(Array.from({ length: 6 }, (_, i) => FAR + i));
    expect(await heavyReadsOf(() => queryToolCalls(context, validateToolCallFilter({ offset: FAR })))).toBe(
      1,
    );
    expect(await heavyReadsOf(() => querySessions(context, validateSessionFilter({ offset: FAR })))).toBe(1);
  });

  it('lists the agents of an iterator that notes them down, if they are many', async () => {
    const iterate = async (filter: SessionQueryFilter) => {
      const { pages } = iterateSessions(context, validateSessionFilter(filter, 'iterate'));
      const rows = [];
      for (let page = await pages.next(); !page.done; page = await pages.next()) rows.push(...page.value);
      return rows;
    };
    expect(await heavyReadsOf(() => iterate({ status: 'running' }))).toBe(0);
    expect(await heavyReadsOf(() => iterate({ sortBy: 'updatedAt' }))).toBe(1);
    expect(await iterate({ sortBy: 'updatedAt' })).toHaveLength(FORKS + 1);
  });

  it('checks the database', async () => {
    const report = checkConsistency(context, checkCheck(undefined));
    expect(await heavyReadsOf(() => report)).toBeGreaterThan(0);
    expect((await report).issues).toEqual([]);
  });
});
