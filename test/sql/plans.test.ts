import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCommit } from '../../src/model/encode-commit.ts';
import type { SqlContext } from '../../src/sql/context.ts';
import { Engine } from '../../src/sql/engine.ts';
import { iterateMessages, queryMessages } from '../../src/sql/query/messages.ts';
import { iterateSessions, querySessions } from '../../src/sql/query/sessions.ts';
import { aggregateStats } from '../../src/sql/query/statistics.ts';
import { iterateToolCalls, queryToolCalls } from '../../src/sql/query/tool-calls.ts';
import { LOAD_AGENT } from '../../src/sql/read/agent.ts';
import { LOAD_TOOL_CALLS } from '../../src/sql/read/calls.ts';
import { readEvents } from '../../src/sql/read/events.ts';
import { LOAD_TODOS } from '../../src/sql/read/info.ts';
import { type Load, load } from '../../src/sql/read/load.ts';
import { LOAD_COMPACTIONS, LOAD_CONTEXT, LOAD_MESSAGES } from '../../src/sql/read/messages.ts';
import type { SessionQueryFilter, ToolCallQueryFilter } from '../../src/store/filters.ts';
import type { Paged } from '../../src/store/paged.ts';
import type { ReadEventsOptions } from '../../src/store/store.ts';
import {
  validateEventOptions,
  validateMessageFilter,
  validateSessionFilter,
  validateToolCallFilter,
} from '../../src/store/validate-filter.ts';
import { answers, asks, user } from '../../src/testing/samples.ts';
import { WHOLE } from '../support/environment.ts';
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
async function take({ pages }: Paged<unknown, unknown>, count: number): Promise<void> {
  for (let taken = 0; taken < count; ) {
    const page = await pages.next();
    if (page.done) break;
    taken += [...page.value].length;
  }
  await pages.return?.();
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
      await checkAll(
        SESSION_FILTERS,
        (context, filter) => querySessions(context, validateSessionFilter(filter)),
        sortsMatches,
      );
    }, 120_000);

    it('use an index for every filter of queryMessages', async () => {
      await checkAll(MESSAGE_FILTERS, (context, filter) =>
        queryMessages(context, validateMessageFilter(filter)),
      );
    }, 120_000);

    it('use an index for every filter of queryToolCalls', async () => {
      await checkAll(TOOL_CALL_FILTERS, (context, filter) =>
        queryToolCalls(context, validateToolCallFilter(filter)),
      );
    }, 120_000);

    it('find rows that one range has by a single search, unless some are skipped', async () => {
      const searches = async (filter: ToolCallQueryFilter) => {
        explained.recorded.length = 0;
        await queryToolCalls(explained.context, validateToolCallFilter(filter));
        return explained.recorded.map(({ text }) => text.match(/kode_data_tool_calls/g)?.length);
      };
      // SQLite searches for keys alone, and has the rows' places then.
      const once = explained.context.driver.dialect.name === 'sqlite' ? 2 : 1;
      expect(await searches({ toolName: 'search', isError: true })).toEqual([once]);
      expect(await searches({ toolName: 'search', isError: true, offset: 3 })).toEqual([2]);
    });

    it('use an index for the statistics of one agent', async () => {
      await checkAll(['long', 'fork-of-fork'], aggregateStats, () => true);
    });

    it('use an index for the events of an agent, of a channel, after a cursor', async () => {
      const filters = [undefined, 'progress', 'control', 'monitor'] as const;
      const all = filters.flatMap((channel) => [
        { channel },
        { channel, since: 100 },
        { channel, order: 'desc' as const },
      ]);
      const read = async (context: SqlContext, options: ReadEventsOptions) => {
        for await (const _event of readEvents(context, 'long', validateEventOptions(options)));
      };
      // Pages are put in order at the end.
      await checkAll(all, read, () => true);
    });

    it('use an index to find where a part is forked', async () => {
      const engine = new Engine(explained.context.driver);
      const change = { info: {}, messages: [user('x'), asks('t'), answers('t'), user('y')] };
      await engine.committer.createOrUpdate('plain', encodeCommit('plain', change));
      await engine.committer.commit('plain', encodeCommit('plain', { snapshot: { id: 's' } }));
      await engine.committer.commit('plain', encodeCommit('plain', { messages: [user('z')] }));
      await checkAll<{ at?: number | string }>([{}, { at: 3 }, { at: 's' }], (_context, { at }) =>
        engine.forks.create('plain', at, [`plain-${at}`]),
      );
      const names = explained.recorded.map(({ name }) => name);
      expect(names).toEqual(['fork_point_of_snapshot']);
    });

    it('use an index for everything that is loaded of an agent', async () => {
      const loads: Load<unknown>[] = [
        LOAD_AGENT,
        LOAD_COMPACTIONS,
        LOAD_CONTEXT,
        LOAD_MESSAGES,
        LOAD_TODOS,
        LOAD_TOOL_CALLS,
      ];
      const cases = ['long', 'fork-of-fork'].flatMap((id) => loads.map((what) => ({ id, what })));
      // Compactions, of which an agent has few, are sorted.
      await checkAll(
        cases,
        (context, { id, what }) => load(context, id, what),
        () => true,
      );
    });

    it('use an index for every page of an iterator', async () => {
      const plain = SESSION_FILTERS.filter((filter) => !sortsMatches(filter));
      await checkAll(plain, (context, filter) =>
        take(iterateSessions(context, validateSessionFilter(filter, 'iterate')), SECOND_PAGE),
      );
      const messages = MESSAGE_FILTERS.filter((filter) => filter.offset === undefined);
      await checkAll(messages, (context, filter) =>
        take(iterateMessages(context, validateMessageFilter(filter, 'iterate')), SECOND_PAGE),
      );
      // What the others add is tested on each row and moves no page's beginning.
      const calls = TOOL_CALL_FILTERS.filter(({ hasApproval, isError }) => !hasApproval && isError !== false);
      await checkAll(calls, (context, filter) =>
        take(iterateToolCalls(context, validateToolCallFilter(filter, 'iterate')), SECOND_PAGE),
      );
    }, 120_000);
  });
}

plansOn('SQLite', explainSqlite);
// The oldest planner in the matrix: it has the same indexes to choose from.
if (WHOLE) plansOn('PostgreSQL 15', explainPostgres('postgres15'));
plansOn('PostgreSQL 18', explainPostgres('postgres18'));
