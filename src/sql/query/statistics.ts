import type { AgentStats, LatencyPercentiles, StatsFilter, TokenTotals } from '../../store/filters.ts';
import { validateStatsFilter } from '../../store/validate-filter.ts';
import { number, STATES } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { Row, Script } from '../driver.ts';
import { ask } from './params.ts';
import { agentsMatching, everything, oneAgent, type Scope } from './statistics-scope.ts';

/** Counts of one agent, by its id, or of all agents that a filter matches; as of one moment. */
export async function aggregateStats(
  { driver, directory }: SqlContext,
  agentIdOrFilter?: string | StatsFilter,
): Promise<AgentStats> {
  if (typeof agentIdOrFilter === 'string') {
    return directory.resolve(agentIdOrFilter, (keys) =>
      driver.snapshot(function* () {
        const stats = yield* countAll(oneAgent(driver.dialect, keys));
        return stats.totalAgents === 0 ? undefined : stats;
      }),
    );
  }
  const { metadata, ...filter } = validateStatsFilter(agentIdOrFilter);
  const isEmpty = metadata.length === 0 && Object.keys(filter).length === 0;
  const scope = isEmpty
    ? everything(driver.dialect)
    : agentsMatching(driver.dialect, { ...filter, metadata });
  return driver.snapshot(() => countAll(scope));
}

function* countAll(scope: Scope): Script<AgentStats> {
  const [totals] = yield* ask(
    scope.query(
      'count_rows',
      ({ agents, messageCount, snapshots }) => `SELECT
         (SELECT count(*) FROM ${agents}) AS agents,
         ${messageCount} AS messages,
         (SELECT count(*) FROM ${snapshots}) AS snapshots`,
    ),
  );
  const calls = yield* ask(
    scope.query(
      'count_tool_calls',
      ({ calls: from }) => `SELECT r.state, r.tool_name, r.is_error, count(*) AS calls FROM ${from}
         GROUP BY r.state, r.tool_name, r.is_error`,
    ),
  );
  const toolLatencyMs = yield* percentiles(scope, 'calls', 'duration_ms');
  const modelLatencyMs = yield* percentiles(scope, 'usage', 'latency_ms');
  return {
    totalAgents: number(totals?.agents),
    totalMessages: number(totals?.messages),
    totalSnapshots: number(totals?.snapshots),
    ...sumCalls(calls),
    tokensByModel: yield* sumTokens(scope),
    ...(toolLatencyMs ? { toolLatencyMs } : {}),
    ...(modelLatencyMs ? { modelLatencyMs } : {}),
  };
}

function sumCalls(
  rows: readonly Row[],
): Pick<AgentStats, 'totalToolCalls' | 'toolCallsByState' | 'toolCallsByName' | 'errorRate'> {
  const byState = new Map<string, number>();
  const byName = new Map<string, number>();
  let total = 0;
  let failed = 0;
  for (const row of rows) {
    const calls = number(row.calls);
    const state = STATES[number(row.state)] ?? 'pending';
    const name = String(row.tool_name);
    byState.set(state, (byState.get(state) ?? 0) + calls);
    byName.set(name, (byName.get(name) ?? 0) + calls);
    total += calls;
    if (number(row.is_error) === 1) failed += calls;
  }
  return {
    totalToolCalls: total,
    toolCallsByState: Object.fromEntries(byState),
    toolCallsByName: Object.fromEntries(byName),
    errorRate: total === 0 ? 0 : failed / total,
  };
}

function* sumTokens(scope: Scope): Script<Record<string, TokenTotals>> {
  const rows = yield* ask(
    scope.query(
      'sum_tokens',
      ({ usage }) => `SELECT r.model, count(*) AS calls,
           coalesce(sum(r.input_tokens), 0) AS input, coalesce(sum(r.output_tokens), 0) AS output,
           coalesce(sum(r.cached_tokens), 0) AS cached, coalesce(sum(r.reasoning_tokens), 0) AS reasoning
         FROM ${usage} GROUP BY r.model`,
    ),
  );
  return Object.fromEntries(
    rows.map((row): [string, TokenTotals] => [
      String(row.model),
      {
        inputTokens: number(row.input),
        outputTokens: number(row.output),
        cachedTokens: number(row.cached),
        reasoningTokens: number(row.reasoning),
        calls: number(row.calls),
      },
    ]),
  );
}

/** By nearest rank: the value that so many percent of all aren't above. */
function* percentiles(
  scope: Scope,
  table: 'calls' | 'usage',
  column: string,
): Script<LatencyPercentiles | undefined> {
  const rows = yield* ask(
    scope.query(
      `percentiles_${column}`,
      (from) => `SELECT value, place, total FROM (
           SELECT r.${column} AS value, row_number() OVER (ORDER BY r.${column}) AS place, count(*) OVER () AS total
           FROM ${from[table]} AND r.${column} IS NOT NULL) AS ranked
         WHERE place IN ((total * 50 + 99) / 100, (total * 95 + 99) / 100, (total * 99 + 99) / 100)`,
    ),
  );
  const total = number(rows[0]?.total ?? 0);
  if (total === 0) return undefined;
  const at = (percent: number) => {
    const place = Math.floor((total * percent + 99) / 100);
    return number(rows.find((row) => number(row.place) === place)?.value);
  };
  return { p50: at(50), p95: at(95), p99: at(99) };
}
