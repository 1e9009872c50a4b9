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

/** How the approval of a call stands. */
export interface ToolCallApproval {
  /** Somebody must allow the call, or had to. */
  required: boolean;
  /** Absent until somebody decides. A decision is final. */
  decision?: 'allow' | 'deny';
  /** Who decided, as they said. */
  decidedBy?: string;
  /** When it was decided. */
  decidedAt?: Date;
  /** Why. The model is told it with a denial. */
  note?: string;
}

/** A change of a call's state. */
export interface AuditEntry {
  /** What it became. */
  state: ToolCallState;
  /** When. */
  at: Date;
  /** What is to be known about it. */
  note?: string;
}

/** A tool call as it is loaded. Its identity is (agent, `callSeq`); `toolCallId` may repeat. */
export interface ToolCallRecord {
  /** The model's name for the call. Any text up to 64 KB, empty too. */
  toolCallId: string;
  /** The tool that it asked for. Any text up to 64 KB. */
  toolName: string;
  /** As the model wrote it. */
  input: unknown;
  /** Absent until the tool gave something; `null`, `0`, `false` and `""` are outputs like any other. */
  output?: unknown;
  /** How far it has come. */
  state: ToolCallState;
  /** The call failed or was cut off, or its tool said so. */
  isError: boolean;
  /** What went wrong, in words. */
  error?: string;
  /** 0-based, gap-free ordinal of the call within its agent; also its order. */
  callSeq: number;
  /** `seq` of the message whose `tool_use` block asked for the call. */
  messageSeq?: number;
  /** How its approval stands. */
  approval: ToolCallApproval;
  /** When the model asked for it. */
  createdAt: Date;
  /** When it changed last. */
  updatedAt: Date;
  /** When its tool first began to run. */
  startedAt?: Date;
  /** When its tool ended. */
  completedAt?: Date;
  /** Milliseconds that its tool ran: of one that ran again after a crash, the run that ended. May be a fraction. */
  durationMs?: number;
  /** Its states in their order. */
  auditTrail: AuditEntry[];
}

/** A tool call in a query's result. */
export interface AgentToolCallRecord extends ToolCallRecord {
  /** Who owns the stored call: the agent that wrote it, or asked for its own calls. */
  agentId: string;
}

/**
 * What a caller says about a call. Without `callSeq` it addresses the open call with that `toolCallId`,
 * else the newest one, else it opens a call. What is left out stays as it is.
 */
export interface ToolCallUpdate {
  /** The model's name for the call. */
  toolCallId: string;
  /** Names the call where its `toolCallId` repeats. It must be there. */
  callSeq?: number | undefined;
  /** Needed where the call is opened by this. */
  toolName?: string | undefined;
  /** Replaces what is stored. */
  input?: unknown;
  /** Anything that JSON can represent, `null` too. */
  output?: unknown;
  /** A state before the one that is stored is ignored. */
  state?: ToolCallState | undefined;
  /** Default: true for `failed` and `sealed`. */
  isError?: boolean | undefined;
  /** What went wrong, in words. */
  error?: string | undefined;
  /** The message that asked for it, where none is known yet. */
  messageSeq?: number | undefined;
  /** What is given of it goes over what is stored, but for a decision, which is final. */
  approval?: ToolCallApproval | undefined;
  /** Default: now. Counts where the call is opened by this. */
  createdAt?: Date | undefined;
  /** Counts where the call is opened by this. */
  updatedAt?: Date | undefined;
  /** Default: when it first becomes `executing`. */
  startedAt?: Date | undefined;
  /** Default: when it becomes `completed` or `failed`. */
  completedAt?: Date | undefined;
  /** Milliseconds. Default: from its start to its end. */
  durationMs?: number | undefined;
  /** Replaces what is stored. */
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
