import type { AgentStatus } from '../model/agent.ts';
import type { ToolCallState } from '../model/tool-call.ts';

/** A `Date`, epoch milliseconds, or an ISO 8601 string with a zone (or a plain date, which is UTC). */
export type Instant = Date | number | string;

export type SortOrder = 'asc' | 'desc';

/**
 * Dot paths into the metadata (`'customer.tier'`; a dot within a key is written `\.`, a backslash `\\`),
 * each with the scalar that must be there. Paths and strings of more than 1,000 characters aren't indexed,
 * and are refused.
 */
export type MetadataFilter = Record<string, string | number | boolean | null>;

interface Page {
  /** Default 100. */
  limit?: number | undefined;
  /** Default 0. Its cost grows with it: prefer the iterators. */
  offset?: number | undefined;
  /** Default `desc`: newest first. */
  order?: SortOrder | undefined;
}

interface CreatedRange {
  /** Inclusive. */
  createdAfter?: Instant | undefined;
  /** Exclusive. */
  createdBefore?: Instant | undefined;
}

export interface StatsFilter extends CreatedRange {
  templateId?: string | undefined;
  userId?: string | undefined;
  status?: AgentStatus | undefined;
  metadata?: MetadataFilter | undefined;
}

export interface SessionQueryFilter extends StatsFilter, Page {
  sortBy?: 'createdAt' | 'updatedAt' | undefined;
}

export interface MessageQueryFilter extends CreatedRange, Page {
  agentId?: string | undefined;
  role?: 'user' | 'assistant' | 'system' | undefined;
  contentType?: 'text' | 'tool_use' | 'tool_result' | undefined;
}

export interface ToolCallQueryFilter extends CreatedRange, Page {
  agentId?: string | undefined;
  toolName?: string | undefined;
  state?: ToolCallState | undefined;
  isError?: boolean | undefined;
  /** True: calls that needed an approval, decided or not. */
  hasApproval?: boolean | undefined;
}

export interface TokenTotals {
  inputTokens: number;
  outputTokens: number;
  cachedTokens: number;
  reasoningTokens: number;
  /** Number of model calls. */
  calls: number;
}

export interface LatencyPercentiles {
  p50: number;
  p95: number;
  p99: number;
}

export interface AgentStats {
  totalAgents: number;
  totalMessages: number;
  totalToolCalls: number;
  totalSnapshots: number;
  toolCallsByState: Record<string, number>;
  toolCallsByName: Record<string, number>;
  /** Failed calls among all calls, 0 to 1; 0 when there are none. */
  errorRate: number;
  tokensByModel: Record<string, TokenTotals>;
  /** Nearest-rank percentiles of tool calls' `durationMs`; absent without any duration. */
  toolLatencyMs?: LatencyPercentiles;
  /** The same of the model calls' `latencyMs`. */
  modelLatencyMs?: LatencyPercentiles;
}
