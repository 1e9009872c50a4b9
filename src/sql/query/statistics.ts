import { smallest } from '../../model/lists.ts';
import type { AgentStats, LatencyPercentiles, TokenTotals } from '../../store/filters.ts';
import type { StatsQuery } from '../../store/validate-filter.ts';
import { number, STATES } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import { exactText, isDigest } from '../index-key.ts';
import { ofAgent } from '../lookup.ts';
import type { Driver, Script } from '../port/driver.ts';
import { statementOfValues } from '../port/statement.ts';
import type { SqlValue } from '../port/values.ts';
import { Union, type UnionPart, type ValueType } from '../read/union.ts';
import { OWNED } from '../schema/indexes.ts';
import { ask } from './params.ts';
import {
  agentsMatching,
  everything,
  oneAgent,
  type Scope,
  type ScopeParts,
  type Sum,
} from './statistics-scope.ts';

/** Counts of one agent, by its id, or of all agents that a filter matches; as of one moment. */
export async function aggregateStats(
  context: SqlContext,
  agentIdOrQuery: string | StatsQuery,
): Promise<AgentStats> {
  const { driver } = context;
  if (typeof agentIdOrQuery === 'string') {
    const ofOne = await ofAgent(context, agentIdOrQuery, async (lookup) => {
      const stats = await countOne(driver, oneAgent(driver.dialect, lookup));
      return stats.totalAgents === 0 ? undefined : stats;
    });
    return withExactNames(driver, ofOne);
  }
  const { metadata, ...filter } = agentIdOrQuery;
  const isEmpty = metadata.length === 0 && Object.keys(filter).length === 0;
  const scope = isEmpty
    ? everything(driver.dialect)
    : agentsMatching(driver.dialect, { ...filter, metadata });
  return withExactNames(driver, await driver.analyse(() => countAll(scope)));
}

const EXACT_NAME = statementOfValues(
  'exact_tool_name',
  ({ useIndex }) => `SELECT long_name FROM {tool_calls} ${useIndex('calls_by_tool')}
    WHERE ${OWNED} AND tool_name = $1 ORDER BY created_at LIMIT 1`,
);

/** Calls are counted by what is indexed of their tools' names, which for a name that models made up is a digest. */
async function withExactNames(driver: Driver, stats: AgentStats): Promise<AgentStats> {
  const names = Object.keys(stats.toolCallsByName);
  if (!names.some(isDigest)) return stats;
  const counts = names.map(async (name): Promise<[string, number]> => {
    const [long] = isDigest(name) ? await driver.read(EXACT_NAME, [name]) : [];
    return [exactText(name, long), stats.toolCallsByName[name] ?? 0];
  });
  return { ...stats, toolCallsByName: Object.fromEntries(await Promise.all(counts)) };
}

/** For one agent, round trips would be most of the cost. */
async function countOne(driver: Driver, scope: Scope): Promise<AgentStats> {
  if (!driver.dialect.readsAtOnce) return driver.snapshot(() => countAll(scope));
  let union: Union | undefined;
  const { statement, params } = scope.query('aggregate_stats', (parts, sum) => {
    union = new Union(COUNTS.map(({ of }) => of(parts, sum)));
    return union.text;
  });
  const rows = await driver.read(statement, params);
  return summarise(union?.split(rows) ?? []);
}

/** Where a scope may be large, the database chooses its way for each count. */
function* countAll(scope: Scope): Script<AgentStats> {
  const counted: SqlValue[][][] = [];
  for (const { name, of } of COUNTS) {
    counted.push(yield* ask(scope.query(name, (parts, sum) => new Union([of(parts, sum)]).text)));
  }
  return summarise(counted);
}

interface Count {
  name: string;
  of(parts: ScopeParts, sum: Sum): UnionPart;
}

const COUNTS: readonly Count[] = [
  {
    name: 'count_rows',
    of: ({ agents, messageCount, snapshots }) => ({
      columns: bigints('agents', 'messages', 'snapshots'),
      from: `(SELECT (SELECT count(*) FROM ${agents}) AS agents, ${messageCount} AS messages,
        (SELECT count(*) FROM ${snapshots}) AS snapshots) AS totals`,
    }),
  },
  {
    name: 'count_tool_calls',
    of: ({ calls, callCounts = countedTogether(calls) }) => ({
      columns: [
        ...bigints('r.state'),
        { sql: 'r.tool_name', type: 'text' },
        ...bigints('r.is_error', 'r.calls'),
      ],
      from: `(${callCounts}) AS r`,
    }),
  },
  {
    name: 'sum_tokens',
    of: ({ usage }, sum) => ({
      columns: [
        { sql: 'r.model', type: 'text' },
        ...bigints('count(*)', ...TOKENS.map((column) => sum(`r.${column}`))),
      ],
      from: `${usage} GROUP BY r.model`,
    }),
  },
  { name: 'percentiles_duration_ms', of: ({ calls }) => percentilesOf('duration_ms', calls) },
  { name: 'percentiles_latency_ms', of: ({ usage }) => percentilesOf('latency_ms', usage) },
];

const TOKENS = ['input_tokens', 'output_tokens', 'cached_tokens', 'reasoning_tokens'];

function bigints(...expressions: string[]): { sql: string; type: ValueType }[] {
  return expressions.map((sql) => ({ sql, type: 'bigint' }));
}

function countedTogether(calls: string): string {
  return `SELECT r.state, r.tool_name, r.is_error, count(*) AS calls
    FROM ${calls} GROUP BY r.state, r.tool_name, r.is_error`;
}

const PERCENTS = [50, 95, 99];

/**
 * By nearest rank: the value that so many percent of all aren't above. Milliseconds repeat, so equal ones are
 * counted first, and only the counts are put in order.
 */
function percentilesOf(column: string, from: string): UnionPart {
  const places = PERCENTS.map((percent) => `(total * ${percent} + 99) / 100`);
  const reached = places.map((place) => `(place - equals < ${place} AND place >= ${place})`);
  return {
    columns: [{ sql: 'value', type: 'double precision' }, ...bigints('place', 'total')],
    from: `(SELECT value, equals, CAST(sum(equals) OVER (ORDER BY value) AS bigint) AS place,
          CAST(sum(equals) OVER () AS bigint) AS total
        FROM (SELECT r.${column} AS value, count(*) AS equals FROM ${from} AND r.${column} IS NOT NULL
          GROUP BY r.${column}) AS counted) AS ranked
      WHERE ${reached.join(' OR ')}`,
  };
}

/** Of the rows of each count. */
function summarise([
  totals = [],
  calls = [],
  tokens = [],
  durations = [],
  latencies = [],
]: SqlValue[][][]): AgentStats {
  const [agents, messages, snapshots] = totals[0] ?? [];
  const toolLatencyMs = percentiles(durations);
  const modelLatencyMs = percentiles(latencies);
  return {
    totalAgents: number(agents),
    totalMessages: number(messages),
    totalSnapshots: number(snapshots),
    ...sumCalls(calls),
    tokensByModel: sumTokens(tokens),
    ...(toolLatencyMs ? { toolLatencyMs } : {}),
    ...(modelLatencyMs ? { modelLatencyMs } : {}),
  };
}

/** Rows count by all of state, name and failure, or by one of them with the others null. */
function sumCalls(
  rows: readonly SqlValue[][],
): Pick<AgentStats, 'totalToolCalls' | 'toolCallsByState' | 'toolCallsByName' | 'errorRate'> {
  const byState = new Map<string, number>();
  const byName = new Map<string, number>();
  let total = 0;
  let failed = 0;
  for (const [stateCode, toolName, isError, count] of rows) {
    const calls = number(count);
    if (stateCode !== null && stateCode !== undefined) {
      const state = STATES[number(stateCode)] ?? 'pending';
      byState.set(state, (byState.get(state) ?? 0) + calls);
      total += calls;
    }
    if (toolName !== null) byName.set(String(toolName), (byName.get(String(toolName)) ?? 0) + calls);
    if (isError !== null && number(isError) === 1) failed += calls;
  }
  return {
    totalToolCalls: total,
    toolCallsByState: Object.fromEntries(byState),
    toolCallsByName: Object.fromEntries(byName),
    errorRate: total === 0 ? 0 : failed / total,
  };
}

function sumTokens(rows: readonly SqlValue[][]): Record<string, TokenTotals> {
  return Object.fromEntries(
    rows.map(([model, calls, input, output, cached, reasoning]): [string, TokenTotals] => [
      String(model),
      {
        inputTokens: number(input),
        outputTokens: number(output),
        cachedTokens: number(cached),
        reasoningTokens: number(reasoning),
        calls: number(calls),
      },
    ]),
  );
}

function percentiles(rows: readonly SqlValue[][]): LatencyPercentiles | undefined {
  const total = number(rows[0]?.[2] ?? 0);
  if (total === 0) return undefined;
  const at = (percent: number) => {
    const place = Math.floor((total * percent + 99) / 100);
    return smallest(rows.filter((row) => number(row[1]) >= place).map(([value]) => number(value)));
  };
  return { p50: at(50), p95: at(95), p99: at(99) };
}
