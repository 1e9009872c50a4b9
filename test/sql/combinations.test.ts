import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentInfo } from '../../src/model/agent.ts';
import type { MessageRecord } from '../../src/model/message.ts';
import type { AgentToolCallRecord } from '../../src/model/tool-call.ts';
import type { MessageQueryFilter, SessionQueryFilter, ToolCallQueryFilter } from '../../src/store/filters.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { DAY, fill, forkPoints, type Size } from './fill.ts';
import { MESSAGE_FILTERS, SESSION_FILTERS, TOOL_CALL_FILTERS } from './filters.ts';
import { OpenPostgresStore, OpenSqliteStore } from './stores.ts';

/** More agents than a search among them looks at before it takes another way. */
const SIZE: Size = { busy: 40, quiet: 3_000, long: 300 };

interface Opened {
  store: ExtendedStore;
  close(): Promise<void>;
}

async function openSqlite(): Promise<Opened> {
  const directory = await makeTemporaryDirectory();
  const store = new OpenSqliteStore(join(directory, 'agents.db'), directory, { durability: 'normal' });
  const engine = await store.engine();
  await fill(store, engine, SIZE);
  return {
    store,
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
    const store = new OpenPostgresStore({ connectionString: url, max: 8 }, undefined, { schema });
    const engine = await store.engine();
    await fill(store, engine, SIZE);
    return {
      store,
      async close() {
        await engine.close();
        await store.close();
        await dropSchema(schema);
      },
    };
  };
}

type Range = Pick<SessionQueryFilter, 'createdAfter' | 'createdBefore'>;

function isInRange(createdAt: Date, { createdAfter = -Infinity, createdBefore = Infinity }: Range): boolean {
  return createdAt.getTime() >= Number(createdAfter) && createdAt.getTime() < Number(createdBefore);
}

/** Whether a wanted value, if there is one, is the actual one. */
function fits(wanted: unknown, actual: unknown): boolean {
  return wanted === undefined || wanted === actual;
}

function matchesSession(info: AgentInfo, filter: SessionQueryFilter): boolean {
  const place = info.metadata.place as { row: number } | undefined;
  return (
    fits(filter.templateId, info.templateId) &&
    fits(filter.userId, info.userId) &&
    fits(filter.status, info.status) &&
    fits(filter.metadata?.tier, info.metadata.tier) &&
    fits(filter.metadata?.['place.row'], place?.row) &&
    isInRange(info.createdAt, filter)
  );
}

function matchesMessage(message: MessageRecord, filter: MessageQueryFilter): boolean {
  const { role, contentType } = filter;
  const hasType = contentType === undefined || message.content.some(({ type }) => type === contentType);
  return fits(role, message.role) && hasType && isInRange(message.createdAt, filter);
}

function matchesCall(call: AgentToolCallRecord, filter: ToolCallQueryFilter): boolean {
  return (
    fits(filter.toolName, call.toolName) &&
    fits(filter.state, call.state) &&
    fits(filter.isError, call.isError) &&
    fits(filter.hasApproval, call.approval.required) &&
    isInRange(call.createdAt, filter)
  );
}

function keyOf(item: { agentId: string; seq?: number; callSeq?: number }): string {
  return `${item.agentId}:${item.seq ?? item.callSeq ?? ''}`;
}

/** What a fork inherited is another agent's in queries over all agents; its own copies of calls aren't. */
function ownMessages(message: MessageRecord): boolean {
  const { fork, forkOfFork } = forkPoints(SIZE);
  if (message.agentId === 'fork') return message.seq >= fork;
  return message.agentId !== 'fork-of-fork' || message.seq >= forkOfFork;
}

function ownCalls(call: AgentToolCallRecord): boolean {
  const { fork, forkOfFork } = forkPoints(SIZE);
  const start = { fork, 'fork-of-fork': forkOfFork }[call.agentId] ?? 0;
  return (call.messageSeq ?? 0) >= start || call.state === 'sealed';
}

function combinationsOn(name: string, open: () => Promise<Opened>): void {
  describe(`combinations of filters on ${name}`, () => {
    let opened: Opened;
    let sessions: AgentInfo[];
    const messages: MessageRecord[] = [];
    const calls: AgentToolCallRecord[] = [];

    beforeAll(async () => {
      opened = await open();
      const { store } = opened;
      const ids = await store.list();
      const infos = await Promise.all(ids.map((id) => store.loadInfo(id)));
      sessions = infos.filter((info) => info !== undefined);
      for (const agentId of ids.filter((id) => !id.startsWith('quiet'))) {
        messages.push(...(await store.queryMessages({ agentId, limit: 10_000 })));
        calls.push(...(await store.queryToolCalls({ agentId, limit: 10_000 })));
      }
    }, 120_000);
    afterAll(() => opened.close());

    /** The iterator gives exactly what matches, in order; the query gives a page of the same. */
    async function checkAll<F extends { order?: unknown; offset?: unknown }, T extends { agentId: string }>(
      filters: readonly F[],
      noun: {
        iterate(filter: F): AsyncIterable<T>;
        query(filter: F): Promise<T[]>;
        expected(filter: F): T[];
        /** Falls with newest first. */
        position(item: T, filter: F): number;
      },
    ): Promise<void> {
      for (const { offset: _offset, ...rest } of filters) {
        const filter = rest as unknown as F;
        const what = JSON.stringify(filter);
        const all: T[] = [];
        for await (const item of noun.iterate(filter)) all.push(item);
        expect(all.map(keyOf).sort(), what).toEqual(noun.expected(filter).map(keyOf).sort());
        const sign = filter.order === 'asc' ? 1 : -1;
        const positions = all.map((item) => sign * noun.position(item, filter));
        expect(positions, what).toEqual([...positions].sort((one, other) => one - other));
        for (const page of [
          { limit: 7 },
          { limit: 90, offset: 5 },
          { offset: Math.max(0, all.length - 3) },
        ]) {
          const found = await noun.query({ ...filter, ...page });
          const { offset = 0, limit = 100 } = page as { offset?: number; limit?: number };
          const wanted = all.slice(offset, offset + limit);
          expect(found.map(keyOf), `${what} ${JSON.stringify(page)}`).toEqual(wanted.map(keyOf));
        }
      }
    }

    it('of querySessions give what matches, in order', async () => {
      await checkAll<SessionQueryFilter, AgentInfo>(SESSION_FILTERS, {
        iterate: (filter) => opened.store.iterateSessions(filter),
        query: (filter) => opened.store.querySessions(filter),
        expected: (filter) => sessions.filter((info) => matchesSession(info, filter)),
        position: (info, filter) => info[filter.sortBy ?? 'createdAt'].getTime(),
      });
    }, 120_000);

    it('of queryMessages give what matches, in order', async () => {
      const filters = MESSAGE_FILTERS.filter((filter) => filter.offset === undefined);
      await checkAll<MessageQueryFilter, MessageRecord>(filters, {
        iterate: (filter) => opened.store.iterateMessages(filter),
        query: (filter) => opened.store.queryMessages(filter),
        expected: (filter) =>
          messages.filter(
            (message) =>
              (filter.agentId === undefined ? ownMessages(message) : message.agentId === filter.agentId) &&
              matchesMessage(message, filter),
          ),
        position: (message, filter) =>
          filter.agentId === undefined ? message.createdAt.getTime() : message.seq,
      });
    }, 120_000);

    it('of queryToolCalls give what matches, in order', async () => {
      await checkAll<ToolCallQueryFilter, AgentToolCallRecord>(TOOL_CALL_FILTERS, {
        iterate: (filter) => opened.store.iterateToolCalls(filter),
        query: (filter) => opened.store.queryToolCalls(filter),
        expected: (filter) =>
          calls.filter(
            (call) =>
              (filter.agentId === undefined ? ownCalls(call) : call.agentId === filter.agentId) &&
              matchesCall(call, filter),
          ),
        position: (call, filter) => (filter.agentId === undefined ? call.createdAt.getTime() : call.callSeq),
      });
    }, 120_000);

    it('have something to find', () => {
      expect(sessions.length).toBe(SIZE.busy + SIZE.quiet + 3);
      expect(calls.some((call) => call.agentId === 'fork' && call.state === 'sealed')).toBe(true);
      expect(sessions.some((info) => info.createdAt.getTime() > DAY + 400_000)).toBe(true);
    });
  });
}

combinationsOn('SQLite', openSqlite);
combinationsOn('PostgreSQL', openPostgres());
