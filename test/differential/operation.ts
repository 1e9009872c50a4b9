/**
 * What a run is made of. Operations name agents, calls and positions by numbers that the driver maps on
 * what there is at that moment, so that any list of operations makes sense, also a shrunk one.
 */
export type Operation =
  | { op: 'create'; name: number; narrow: boolean; info: InfoPatch; messages: Draft[] }
  | {
      op: 'append';
      agent: number;
      messages: Draft[];
      narrow: boolean;
      events: number;
      expect: 'nothing' | 'right' | 'wrong';
      operation: boolean;
      late: boolean;
    }
  | { op: 'save'; agent: number; keep: number; tail: Draft[]; ask: boolean }
  | { op: 'ask'; agent: number; calls: number; approval: boolean; narrow: boolean }
  | { op: 'record'; agent: number; call: number; record: RecordDraft; named: boolean; narrow: boolean }
  | {
      op: 'finish';
      agent: number;
      call: number;
      failed: boolean;
      output: unknown;
      runsFirst: boolean;
      durationMs: number | undefined;
    }
  | { op: 'contradict'; agent: number; call: number }
  | {
      op: 'record first';
      agent: number;
      state: 'executing' | 'approval_required' | 'completed';
      alone: boolean;
    }
  | { op: 'decide'; agent: number; call: number; allow: boolean; by: string | undefined }
  | { op: 'snapshot'; agent: number; name: number; of: 'all' | 'some' | 'others'; position: number }
  | {
      op: 'fork';
      agent: number;
      at: 'all' | 'some' | 'snapshot' | 'nowhere';
      position: number;
      named: boolean;
    }
  | { op: 'delete'; agent: number }
  | { op: 'info'; agent: number; info: InfoPatch }
  | { op: 'todos'; agent: number; todos: unknown[] }
  | { op: 'document'; agent: number; name: number; content: unknown; remove: boolean }
  | { op: 'usage'; agent: number; model: number; tokens: number; latencyMs: number | undefined }
  | { op: 'compact'; agent: number; position: number; summary: Draft[]; more: Draft[] }
  | { op: 'event'; agent: number; count: number; narrow: boolean }
  | { op: 'delta'; agent: number }
  | { op: 'lease'; agent: number }
  | { op: 'repeat'; which: number; changed: boolean }
  | { op: 'reopen' }
  | { op: 'look'; agent: number }
  | { op: 'sessions'; filter: SessionDraft; page: PageDraft }
  | { op: 'messages'; filter: MessageDraft; page: PageDraft }
  | { op: 'tool calls'; filter: CallDraft; page: PageDraft }
  | { op: 'statistics'; agent: number; filter: SessionDraft | undefined };

/** A message of the user or the assistant, without tools. */
export interface Draft {
  role: 'user' | 'assistant' | 'system';
  texts: string[];
  extra: Record<string, unknown> | undefined;
}
export interface InfoPatch {
  templateId?: string;
  userId?: string;
  status?: 'idle' | 'running' | 'interrupted';
  breakpoint?: string;
  lastSfpIndex?: number;
  metadata?: Record<string, unknown>;
}
export interface RecordDraft {
  state?: 'pending' | 'approval_required' | 'approved' | 'executing';
  input?: unknown;
  output?: unknown;
  error?: string;
}
/** Instants of a range as a share of the time that the run has taken so far. */
export interface RangeDraft {
  after?: number;
  before?: number;
  form?: 'date' | 'number' | 'text';
}
export interface SessionDraft extends RangeDraft {
  templateId?: string;
  userId?: string;
  status?: 'idle' | 'running' | 'awaiting_approval' | 'interrupted';
  metadata?: Record<string, string | number | boolean | null>;
}
export interface MessageDraft extends RangeDraft {
  agent?: number;
  role?: 'user' | 'assistant' | 'system';
  contentType?: 'text' | 'tool_use' | 'tool_result';
}
export interface CallDraft extends RangeDraft {
  agent?: number;
  toolName?: string;
  state?:
    | 'pending'
    | 'approval_required'
    | 'approved'
    | 'denied'
    | 'executing'
    | 'completed'
    | 'failed'
    | 'sealed';
  isError?: boolean;
  hasApproval?: boolean;
}
export interface PageDraft {
  limit?: number;
  offset?: number;
  order?: 'asc' | 'desc';
  sortBy?: 'createdAt' | 'updatedAt';
}
