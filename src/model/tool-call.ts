/**
 * `pending → approval_required → approved | denied → executing → completed | failed`, and `sealed` for a
 * call that a crash or a fork cut off. `denied`, `completed`, `failed` and `sealed` are terminal.
 */
export type ToolCallState =
  | 'pending'
  | 'approval_required'
  | 'approved'
  | 'denied'
  | 'executing'
  | 'completed'
  | 'failed'
  | 'sealed';

export interface ToolCallApproval {
  required: boolean;
  decision?: 'allow' | 'deny';
  decidedBy?: string;
  decidedAt?: Date;
  note?: string;
}

export interface AuditEntry {
  state: ToolCallState;
  at: Date;
  note?: string;
}

/** A tool call as it is loaded. Its identity is (agent, `callSeq`); `toolCallId` may repeat. */
export interface ToolCallRecord {
  toolCallId: string;
  toolName: string;
  input: unknown;
  /** Absent until the tool gave something; `null`, `0`, `false` and `""` are outputs like any other. */
  output?: unknown;
  state: ToolCallState;
  isError: boolean;
  error?: string;
  /** 0-based, gap-free ordinal of the call within its agent; also its order. */
  callSeq: number;
  /** `seq` of the message whose `tool_use` block asked for the call. */
  messageSeq?: number;
  approval: ToolCallApproval;
  createdAt: Date;
  updatedAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  durationMs?: number;
  auditTrail: AuditEntry[];
}

/** A tool call in a query's result. */
export interface AgentToolCallRecord extends ToolCallRecord {
  agentId: string;
}

/**
 * What a caller says about a call. Without `callSeq` it addresses the open call with that `toolCallId`,
 * else the newest one, else it opens a call. What is left out stays as it is.
 */
export interface ToolCallUpdate {
  toolCallId: string;
  callSeq?: number | undefined;
  toolName?: string | undefined;
  input?: unknown;
  output?: unknown;
  state?: ToolCallState | undefined;
  isError?: boolean | undefined;
  error?: string | undefined;
  messageSeq?: number | undefined;
  approval?: ToolCallApproval | undefined;
  createdAt?: Date | undefined;
  updatedAt?: Date | undefined;
  startedAt?: Date | undefined;
  completedAt?: Date | undefined;
  durationMs?: number | undefined;
  auditTrail?: AuditEntry[] | undefined;
}

export const TOOL_CALL_STATES: readonly ToolCallState[] = [
  'pending',
  'approval_required',
  'approved',
  'executing',
  'denied',
  'completed',
  'failed',
  'sealed',
];

const RANK: Record<ToolCallState, number> = {
  pending: 0,
  approval_required: 1,
  approved: 2,
  executing: 3,
  denied: 4,
  completed: 4,
  failed: 4,
  sealed: 4,
};

/** Position of a state on a call's way; a call never goes back to a lower rank. */
export function stateRank(state: ToolCallState): number {
  return RANK[state];
}

export function isTerminal(state: ToolCallState): boolean {
  return RANK[state] === 4;
}
