import type { Paged } from '../../store/paged.ts';
import type { PageSpec } from '../../store/validate-filter.ts';
import { number } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { Lookup } from '../lookup.ts';
import type { Dialect } from '../port/dialect.ts';
import type { SqlValue } from '../port/values.ts';
import type { Position } from './bounds.ts';
import { type Window, windowAfter } from './chain.ts';
import { readsOf } from './heavy.ts';
import { rowsOfAgent } from './of-agent.ts';
import { inPages } from './pages.ts';
import type { Query } from './params.ts';
import { positionOf, sortRows } from './rows.ts';

type Wanted = PageSpec & { agentId?: string };

/** Records that conversations consist of: messages, or tool calls. Their rows begin with the ordinal. */
export interface RecordSource<Q extends Wanted, T> {
  /** Where the key of the order over all agents is in a row. */
  readonly keyPlaces: readonly number[];
  plan(dialect: Dialect, query: Q, after: Position | undefined): Query;
  readConversation(
    context: SqlContext,
    lookup: Lookup,
    query: Q,
    window: Window | undefined,
  ): Promise<SqlValue[][] | undefined>;
  decode(row: readonly SqlValue[], agentId: string | undefined): T;
}

export async function queryRecords<Q extends Wanted, T>(
  context: SqlContext,
  source: RecordSource<Q, T>,
  query: Q,
): Promise<T[]> {
  const rows = await readPage(context, source, query);
  return rows.map((row) => source.decode(row, query.agentId));
}

export function iterateRecords<Q extends Wanted, T>(
  context: SqlContext,
  source: RecordSource<Q, T>,
  query: Q,
): Paged<SqlValue[], T> {
  return {
    pages: inPages(context.driver.dialect, query.limit, (limit, last) =>
      readPage(context, source, { ...query, limit }, last),
    ),
    decode: (row) => source.decode(row, query.agentId),
  };
}

/** The first page, or the one that follows a row. */
async function readPage<Q extends Wanted, T>(
  context: SqlContext,
  source: RecordSource<Q, T>,
  query: Q,
  last?: SqlValue[],
): Promise<SqlValue[][]> {
  const { driver } = context;
  if (query.agentId !== undefined) {
    const window = last && windowAfter(number(last[0]), query.order);
    return rowsOfAgent(context, query.agentId, (lookup) =>
      source.readConversation(context, lookup, query, window),
    );
  }
  const after = last && positionOf(last, source.keyPlaces);
  const { statement, params } = source.plan(driver.dialect, query, after);
  return sortRows(await readsOf(driver, query).read(statement, params), source.keyPlaces, query.order);
}
