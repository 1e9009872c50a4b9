import type { Command } from 'commander';
import type { AgentStats, LatencyPercentiles, StatsFilter, TokenTotals } from '../store/filters.ts';
import { validateStatsFilter } from '../store/validate-filter.ts';
import { UsageError } from './errors.ts';
import { addAgentFlags, addCreatedFlags, agentFilter, checkFilter, text } from './flags.ts';
import { type GlobalFlags, withStore } from './open-store.ts';
import { type Column, renderTable } from './table.ts';
import { formatNumber, printJson, type Terminal, widthOf } from './terminal.ts';

export function addStats(program: Command, terminal: Terminal): void {
  const command = program
    .command('stats')
    .description('count messages, tool calls and tokens of one agent, of those that match, or of all')
    .argument('[agentId]', 'the agent; without it the flags choose', text);
  addCreatedFlags(addAgentFlags(command)).action(async (agentId: string | undefined) => {
    const flags = command.optsWithGlobals<StatsFilter & GlobalFlags>();
    const filter = agentFilter(flags);
    if (agentId !== undefined && Object.values(filter).some((value) => value !== undefined)) {
      throw new UsageError('give an agent or flags that choose agents, not both');
    }
    checkFilter(validateStatsFilter, filter);
    const stats = await withStore(flags, (store) => store.aggregateStats(agentId ?? filter));
    if (flags.json) printJson(terminal, stats);
    else terminal.stdout.write(renderStats(stats, widthOf(terminal)));
  });
}

type Line = [name: string, value: string];

const figures: Column<Line>[] = [
  { title: 'FIGURE', value: ([name]) => name, min: 12 },
  { title: 'VALUE', value: ([, value]) => value, align: 'right' },
];

type ModelLine = [model: string, totals: TokenTotals];

const models: Column<ModelLine>[] = [
  { title: 'MODEL', value: ([model]) => model, min: 12 },
  { title: 'CALLS', value: ([, totals]) => formatNumber(totals.calls), align: 'right' },
  { title: 'INPUT', value: ([, totals]) => formatNumber(totals.inputTokens), align: 'right' },
  { title: 'OUTPUT', value: ([, totals]) => formatNumber(totals.outputTokens), align: 'right' },
  { title: 'CACHED', value: ([, totals]) => formatNumber(totals.cachedTokens), align: 'right' },
  { title: 'REASONING', value: ([, totals]) => formatNumber(totals.reasoningTokens), align: 'right' },
];

function renderStats(stats: AgentStats, width: number): string {
  const lines: Line[] = [
    ['agents', formatNumber(stats.totalAgents)],
    ['messages', formatNumber(stats.totalMessages)],
    ['snapshots', formatNumber(stats.totalSnapshots)],
    ['tool calls', formatNumber(stats.totalToolCalls)],
    ...counts('tool calls ', stats.toolCallsByState),
    ...counts('tool calls of ', stats.toolCallsByName),
    ['error rate', `${(stats.errorRate * 100).toFixed(1)} %`],
    ...latencies('tool latency', stats.toolLatencyMs),
    ...latencies('model latency', stats.modelLatencyMs),
  ];
  const usage = Object.entries(stats.tokensByModel);
  const tables = [renderTable(figures, lines, width)];
  if (usage.length > 0) tables.push(renderTable(models, usage, width));
  return tables.join('\n');
}

/** The most frequent first. */
function counts(label: string, byKey: Record<string, number>): Line[] {
  const entries = Object.entries(byKey).sort(([, a], [, b]) => b - a);
  return entries.map(([key, count]) => [`${label}${key}`, formatNumber(count)]);
}

function latencies(label: string, percentiles: LatencyPercentiles | undefined): Line[] {
  if (!percentiles) return [];
  const { p50, p95, p99 } = percentiles;
  const values = [p50, p95, p99].map(formatNumber);
  return [[`${label} p50 / p95 / p99`, `${values.join(' / ')} ms`]];
}
