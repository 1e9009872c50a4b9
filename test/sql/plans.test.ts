import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SqlContext } from '../../src/sql/context.ts';
import { iterateMessages, queryMessages } from '../../src/sql/query/messages.ts';
import { iterateSessions, querySessions } from '../../src/sql/query/sessions.ts';
import { aggregateStats } from '../../src/sql/query/statistics.ts';
import { iterateToolCalls, queryToolCalls } from '../../src/sql/query/tool-calls.ts';
import type { SessionQueryFilter } from '../../src/store/filters.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { complainAboutPostgres, complainAboutSqlite } from './explain.ts';
import { fill, LARGE } from './fill.ts';
import { MESSAGE_FILTERS, SESSION_FILTERS, TOOL_CALL_FILTERS } from './filters.ts';
import { type Recorded, recording } from './recorder.ts';
import { OpenPostgresStore, OpenSqliteStore } from './stores.ts';

interface Explained {
  context: SqlContext;
  recorded: Recorded[];
  /** What is wrong with the plan of a statement. `sorts`: no index has the order and the filter. */
  complain(query: Recorded, sorts: boolean): Promise<string[]>;
  close(): Promise<void>;
}

const FILL_TIMEOUT = 120_000;

async function explainSqlite(): Promise<Explained> {
  const directory = await makeTemporaryDirectory();
  const store = new OpenSqliteStore(join(directory, 'agents.db'), directory, { durability: 'normal' });
  const engine = await store.engine();
  await fill(store, engine, LARGE);
  const { driver } = engine.context;
  return {
    ...recording(driver),
    complain: (query, sorts) => complainAboutSqlite(driver, query, sorts),
    async close() {
      await engine.close();
      await store.close();
      await removeDirectory(directory);
    },
  };
}

function explainPostgres(server: 'postgres15' | 'postgres18'): () => Promise<Explained> {
  const database = postgresDatabase(server);
  return async () => {
    const { url, client, createSchema, dropSchema } = await database();
    const schema = await createSchema();
    const store = new OpenPostgresStore({ connectionString: url, max: 8 }, undefined, { schema });
    const engine = await store.engine();
    await fill(store, engine, LARGE);
    await client.query('VACUUM ANALYZE');
    return {
      ...recording(engine.context.driver),
      // A sort under a limit is none to complain about here.
      complain: (query, sorts) =>
        complainAboutPostgres(client, query, sorts && query.name !== 'query_sessions'),
      async close() {
        await engine.close();
        await store.close();
        await dropSchema(schema);
      },
    };
  };
}

/** Takes the first two pages, so that the statement for a later page is looked at, too. */
async function take(items: AsyncIterable<unknown>, count: number): Promise<void> {
  let taken = 0;
  for await (const _item of items) {
    taken += 1;
    if (taken === count) break;
  }
}

const SECOND_PAGE = 70;

function sortsMatches(filter: SessionQueryFilter): boolean {
  return filter.sortBy === 'updatedAt' || filter.status !== undefined || filter.metadata !== undefined;
}

function plansOn(name: string, open: () => Promise<Explained>): void {
  describe(`query plans on ${name}`, () => {
    let explained: Explained;
    beforeAll(async () => {
      explained = await open();
    }, FILL_TIMEOUT);
    afterAll(() => explained.close());

    /** Runs a query with each filter and looks at the plan of every statement that it came to. */
    async function checkAll<T>(
      filters: readonly T[],
      run: (context: SqlContext, filter: T) => Promise<unknown>,
      sorts: (filter: T) => boolean = () => false,
    ): Promise<void> {
      const seen = new Set<string>();
      const complaints: string[] = [];
      for (const filter of filters) {
        explained.recorded.length = 0;
        await run(explained.context, filter);
        for (const query of explained.recorded) {
          if (seen.has(query.text)) continue;
          seen.add(query.text);
          for (const complaint of await explained.complain(query, sorts(filter))) {
            complaints.push(`${query.name} of ${JSON.stringify(filter)} ${complaint}`);
          }
        }
      }
      expect(complaints).toEqual([]);
    }

    it('use an index for every filter of querySessions', async () => {
      await checkAll(SESSION_FILTERS, querySessions, sortsMatches);
    }, 120_000);

    it('use an index for every filter of queryMessages', async () => {
      await checkAll(MESSAGE_FILTERS, queryMessages);
    }, 120_000);

    it('use an index for every filter of queryToolCalls', async () => {
      await checkAll(TOOL_CALL_FILTERS, queryToolCalls);
    }, 120_000);

    it('use an index for the statistics of one agent', async () => {
      await checkAll(['long', 'fork-of-fork'], aggregateStats, () => true);
    });

    it('use an index for every page of an iterator', async () => {
      const plain = SESSION_FILTERS.filter((filter) => !sortsMatches(filter));
      await checkAll(plain, (context, filter) => take(iterateSessions(context, filter), SECOND_PAGE));
      const messages = MESSAGE_FILTERS.filter((filter) => filter.offset === undefined);
      await checkAll(messages, (context, filter) => take(iterateMessages(context, filter), SECOND_PAGE));
      // What the others add is tested on each row and moves no page's beginning.
      const calls = TOOL_CALL_FILTERS.filter(({ hasApproval, isError }) => !hasApproval && isError !== false);
      await checkAll(calls, (context, filter) => take(iterateToolCalls(context, filter), SECOND_PAGE));
    }, 120_000);
  });
}

plansOn('SQLite', explainSqlite);
plansOn('PostgreSQL 15', explainPostgres('postgres15'));
plansOn('PostgreSQL 18', explainPostgres('postgres18'));
