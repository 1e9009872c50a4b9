import type { MessageRecord } from '../../src/model/message.ts';
import type { AgentToolCallRecord } from '../../src/model/tool-call.ts';
import type {
  AgentStats,
  Instant,
  LatencyPercentiles,
  MessageQueryFilter,
  SessionQueryFilter,
  StatsFilter,
  TokenTotals,
  ToolCallQueryFilter,
} from '../../src/store/filters.ts';
import type { Model } from './model.ts';
import { blocksOf, type Call, type ModelAgent, parseMessage, type Row } from './model-agent.ts';

/** All that a filter matches, in ascending order, whatever `limit`, `offset` and `order` say. */
export function sessions(model: Model, filter: SessionQueryFilter): ModelAgent[] {
  const matching = model.agents.filter((agent) => matches(agent, filter));
  return matching.sort((one, other) => one.createdAt - other.createdAt || one.key - other.key);
}

function matches(agent: ModelAgent, filter: StatsFilter): boolean {
  return (
    (filter.templateId === undefined || agent.templateId === filter.templateId) &&
    (filter.userId === undefined || agent.userId === filter.userId) &&
    (filter.status === undefined || agent.status === filter.status) &&
    inRange(agent.createdAt, filter) &&
    Object.entries(filter.metadata ?? {}).every(([path, value]) => at(agent.metadata, path) === value)
  );
}

function at(metadata: unknown, path: string): unknown {
  const keys = path.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'));
  return keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined,
    metadata,
  );
}

function inRange(ms: number, range: { createdAfter?: Instant; createdBefore?: Instant } | object): boolean {
  const { createdAfter, createdBefore } = range as { createdAfter?: Instant; createdBefore?: Instant };
  const after = createdAfter === undefined || ms >= new Date(createdAfter).getTime();
  return after && (createdBefore === undefined || ms < new Date(createdBefore).getTime());
}

/**
 * Each stored thing once: under its writer while that agent's conversation has it, else under the oldest
 * agent whose does.
 */
function stored<T>(
  model: Model,
  thingsOf: (agent: ModelAgent) => readonly T[],
  identity: (thing: T) => unknown,
  writerOf: (thing: T) => number,
): { agent: ModelAgent; thing: T; index: number }[] {
  const found = new Map<unknown, { agent: ModelAgent; thing: T; index: number }>();
  for (const agent of model.agents) {
    for (const [index, thing] of thingsOf(agent).entries()) {
      if (!found.has(identity(thing)) || writerOf(thing) === agent.key) {
        found.set(identity(thing), { agent, thing, index });
      }
    }
  }
  return [...found.values()];
}

function storedRows(model: Model) {
  return stored<Row>(
    model,
    (agent) => agent.rows,
    (row) => row,
    (row) => row.writer,
  );
}

function storedCalls(model: Model) {
  return stored<Call>(
    model,
    (agent) => agent.calls,
    (call) => call.key,
    (call) => call.writer,
  );
}

export function messages(model: Model, filter: MessageQueryFilter): MessageRecord[] {
  const all =
    filter.agentId === undefined
      ? storedRows(model).sort((one, other) => one.thing.createdAt - other.thing.createdAt)
      : model.agents
          .filter((agent) => agent.id === filter.agentId)
          .flatMap((agent) => agent.rows.map((thing, index) => ({ agent, thing, index })));
  return all
    .filter(({ thing }) => inRange(thing.createdAt, filter))
    .filter(({ thing }) => filter.role === undefined || parseMessage(thing.text).role === filter.role)
    .filter(
      ({ thing }) =>
        filter.contentType === undefined ||
        blocksOf(thing.text).some((block) => block.type === filter.contentType),
    )
    .map(({ agent, thing, index }) => {
      const { role, content, metadata, providerOptions } = parseMessage(thing.text);
      return {
        agentId: agent.id,
        seq: index,
        role,
        content,
        ...(metadata === undefined ? {} : { metadata }),
        ...(providerOptions === undefined ? {} : { providerOptions }),
        createdAt: new Date(thing.createdAt),
      };
    });
}

/** A query over all agents has one of each array in `copies`, or more. */
export function toolCalls(
  model: Model,
  filter: ToolCallQueryFilter,
): { calls: AgentToolCallRecord[]; copies: AgentToolCallRecord[][] } {
  const stored = storedCalls(model).filter(({ thing }) => !model.copied.has(thing.key));
  const held = model.agents.flatMap((agent) => agent.calls.map((thing) => ({ agent, thing })));
  if (filter.agentId !== undefined) {
    const own = held.filter(({ agent }) => agent.id === filter.agentId);
    return { calls: matching(own, filter), copies: [] };
  }
  const copies = [...model.copied].map((key) =>
    matching(
      held.filter(({ thing }) => thing.key === key),
      filter,
    ),
  );
  return { calls: matching(stored, filter), copies: copies.filter((some) => some.length > 0) };
}

function matching(
  calls: readonly { agent: ModelAgent; thing: Call }[],
  filter: ToolCallQueryFilter,
): AgentToolCallRecord[] {
  const records = calls
    .map(({ agent, thing }) => ({ agentId: agent.id, ...thing.record }))
    .filter((call) => inRange(call.createdAt.getTime(), filter))
    .filter((call) => filter.toolName === undefined || call.toolName === filter.toolName)
    .filter((call) => filter.state === undefined || call.state === filter.state)
    .filter((call) => filter.isError === undefined || call.isError === filter.isError)
    .filter((call) => filter.hasApproval === undefined || call.approval.required === filter.hasApproval);
  return filter.agentId === undefined
    ? records.sort((one, other) => one.createdAt.getTime() - other.createdAt.getTime())
    : records.sort((one, other) => one.callSeq - other.callSeq);
}

/** Undefined where the filter takes in one holder of a stored row and leaves out another, or who has copies. */
export function statistics(model: Model, of: string | StatsFilter): AgentStats | undefined {
  if (typeof of === 'string') {
    const agent = model.get(of);
    return count([agent], agent.rows.length, agent.calls);
  }
  const chosen = model.agents.filter((agent) => matches(agent, of));
  const rows = storedRows(model).filter(({ agent }) => chosen.includes(agent));
  const calls = storedCalls(model).filter(({ agent }) => chosen.includes(agent));
  const touched = new Set(chosen.flatMap((agent) => agent.rows));
  const held = new Set(chosen.flatMap((agent) => agent.calls.map((call) => call.key)));
  if (touched.size !== rows.length || held.size !== calls.length) return undefined;
  if (calls.some(({ thing }) => model.copied.has(thing.key))) return undefined;
  return count(
    chosen,
    rows.length,
    calls.map(({ thing }) => thing),
  );
}

function count(agents: readonly ModelAgent[], totalMessages: number, calls: readonly Call[]): AgentStats {
  const records = calls.map((call) => call.record);
  const usage = agents.flatMap((agent) => agent.usage);
  const tokensByModel: Record<string, TokenTotals> = {};
  for (const one of usage) {
    const before = tokensByModel[one.model];
    tokensByModel[one.model] = {
      inputTokens: (before?.inputTokens ?? 0) + (one.inputTokens ?? 0),
      outputTokens: (before?.outputTokens ?? 0) + (one.outputTokens ?? 0),
      cachedTokens: (before?.cachedTokens ?? 0) + (one.cachedTokens ?? 0),
      reasoningTokens: (before?.reasoningTokens ?? 0) + (one.reasoningTokens ?? 0),
      calls: (before?.calls ?? 0) + 1,
    };
  }
  const tools = percentiles(records.flatMap((record) => record.durationMs ?? []));
  const models = percentiles(usage.flatMap((one) => one.latencyMs ?? []));
  const failed = records.filter((record) => record.state === 'failed').length;
  return {
    totalAgents: agents.length,
    totalMessages,
    totalToolCalls: calls.length,
    totalSnapshots: agents.reduce((sum, agent) => sum + agent.snapshots.length, 0),
    toolCallsByState: tally(records.map((record) => record.state)),
    toolCallsByName: tally(records.map((record) => record.toolName)),
    errorRate: records.length === 0 ? 0 : failed / records.length,
    tokensByModel,
    ...(tools ? { toolLatencyMs: tools } : {}),
    ...(models ? { modelLatencyMs: models } : {}),
  };
}

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

/** Nearest rank: the smallest value that at least so many of all values don't exceed. */
function percentiles(values: readonly number[]): LatencyPercentiles | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
