import type { AgentStatus } from '../model/agent.ts';
import type { ToolCallState } from '../model/tool-call.ts';

/** A `Date`, epoch milliseconds, or an ISO 8601 string with a zone (or a plain date, which is UTC). */
export type Instant = Date | number | string;

/** `asc`: the oldest first. `desc`: the newest. */
export type SortOrder = 'asc' | 'desc';

/**
 * Dot paths into the metadata (`'customer.tier'`; a dot within a key is written `\.`, a backslash `\\`),
 * each with the scalar that must be there. Paths and strings of more than 1,000 characters aren't indexed,
 * and are refused.
 */
export type MetadataFilter = Record<string, string | number | boolean | null>;

/** Which part of what matches. */
interface Page {
  /** Default 100. */
  limit?: number | undefined;
  /** Default 0. Its cost grows with it: prefer the iterators. */
  offset?: number | undefined;
  /** Default `desc`: newest first. */
  order?: SortOrder | undefined;
}

/** From when to when. */
interface CreatedRange {
  /** Inclusive. */
  createdAfter?: Instant | undefined;
  /** Exclusive. */
  createdBefore?: Instant | undefined;
}

/** Which agents are counted. All that is given must hold. */
export interface StatsFilter extends CreatedRange {
  /** Agents of this kind. */
  templateId?: string | undefined;
  /** Agents of this user's. */
  userId?: string | undefined;
  /** Agents that do, or wait for, this. */
  status?: AgentStatus | undefined;
  /** Agents whose metadata has all of this. */
  metadata?: MetadataFilter | undefined;
}

/** Which agents, in which order. */
export interface SessionQueryFilter extends StatsFilter, Page {
  /** Default: `createdAt`. */
  sortBy?: 'createdAt' | 'updatedAt' | undefined;
}

/** Which messages. All that is given must hold. */
export interface MessageQueryFilter extends CreatedRange, Page {
  /**
   * The whole conversation of this agent, with what it inherited. Default: of all agents, each stored message
   * once.
   */
  agentId?: string | undefined;
  /** Who speaks. */
  role?: 'user' | 'assistant' | 'system' | undefined;
  /** Messages with such a block. */
  contentType?: 'text' | 'tool_use' | 'tool_result' | undefined;
}

/** Which calls. All that is given must hold. */
export interface ToolCallQueryFilter extends CreatedRange, Page {
  /** All calls of this agent, with what it inherited. Default: of all agents, each stored call once. */
  agentId?: string | undefined;
  /** Exactly as the model wrote it. */
  toolName?: string | undefined;
  /** How far they have come. */
  state?: ToolCallState | undefined;
  /** Calls that are errors, or that are none. */
  isError?: boolean | undefined;
  /** True: calls that needed an approval, decided or not. */
  hasApproval?: boolean | undefined;
}

/** What the calls of one model cost, together. Beyond 2^53, a total is the nearest number. */
export interface TokenTotals {
  /** Of all prompts, cached ones included. */
  inputTokens: number;
  /** Of all answers, reasoning included. */
  outputTokens: number;
  /** Those of `inputTokens` that came from a cache of the provider. */
  cachedTokens: number;
  /** Those of `outputTokens` that were spent on reasoning. */
  reasoningTokens: number;
  /** Number of model calls. */
  calls: number;
}

/** Milliseconds that so many in a hundred calls took at most. */
export interface LatencyPercentiles {
  /** The median. */
  p50: number;
  /** 95 of 100. */
  p95: number;
  /** 99 of 100. */
  p99: number;
}

/** Counts of one agent or of many. */
export interface AgentStats {
  /** Agents that are counted. */
  totalAgents: number;
  /** Messages of their conversations. Of many agents, what forks share counts once. */
  totalMessages: number;
  /** Calls, counted like messages. */
  totalToolCalls: number;
  /** Snapshots of these agents. */
  totalSnapshots: number;
  /** Numbers of calls by state; states without calls are absent. */
  toolCallsByState: Record<string, number>;
  /** Numbers of calls by the tool's name. */
  toolCallsByName: Record<string, number>;
  /** Failed calls among all calls, 0 to 1; 0 when there are none. */
  errorRate: number;
  /** Costs by the model's name. */
  tokensByModel: Record<string, TokenTotals>;
  /** Nearest-rank percentiles of tool calls' `durationMs`; absent without any duration. */
  toolLatencyMs?: LatencyPercentiles;
  /** The same of the model calls' `latencyMs`. */
  modelLatencyMs?: LatencyPercentiles;
}
