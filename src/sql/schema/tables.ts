/**
 * Kinds of columns. `stamp` and `cursor` are finished while a batch is written: a stamp is raised to the
 * agent's last instant, a cursor is given as an ordinal within the batch's events.
 */
export type ColumnKind =
  | 'key'
  | 'int'
  | 'small'
  | 'real'
  | 'instant'
  | 'stamp'
  | 'cursor'
  | 'text'
  | 'name'
  | 'jsonb';

export interface Table {
  readonly columns: Readonly<Record<string, ColumnKind>>;
  /** The primary key; it begins with the tree, so that the schema can be sharded by it. */
  readonly key: readonly string[];
  /** Where a database can, the rows lie in the primary key itself: for narrow rows, which would be half as large again. */
  readonly clustered?: boolean;
}

/**
 * Every table that a batch writes to. Short names: the database's have the prefix `kode_data_`.
 *
 * Keys: `tree` is an agent with all its forks, `agent` and `branch` are integers from one sequence that
 * are never given out twice. `owner` is the agent under which a query over all agents returns a row: null
 * when only a snapshot needs it.
 */
export const TABLES = {
  /** Public ids to keys: the only table whose key isn't the tree's, because ids are unique over all trees. */
  directory: {
    columns: { agent_id: 'name', tree: 'key', agent: 'key' },
    key: ['agent_id'],
    clustered: true,
  },
  /** The narrow row that every commit updates and locks. */
  heads: {
    columns: {
      tree: 'key',
      agent: 'key',
      branch: 'key',
      version: 'int',
      /** Raised by every change that the planning of a commit depends on, decisions included. */
      revision: 'int',
      cursor: 'int',
      /** Events up to this cursor were removed by retention. */
      pruned_cursor: 'int',
      message_count: 'int',
      call_count: 'int',
      /** Calls that no message's tool_use block is known for. */
      unlinked_calls: 'int',
      /** Calls that a message asked for and none has answered: without any, a fork copies no calls. */
      unanswered_calls: 'int',
      pending_approvals: 'int',
      usage_count: 'int',
      status: 'small',
      updated_at: 'instant',
      /** The newest instant given out for anything of this agent. */
      last_at: 'instant',
      last_sfp_index: 'int',
      bookmark_seq: 'int',
      bookmark_at: 'instant',
      breakpoint: 'text',
      /** Fencing token: rises with each holder and is never set back. */
      lease_token: 'int',
      /** Random, so that an agent that was deleted and created anew revives no old lease. */
      lease_holder_id: 'name',
      lease_expires_at: 'instant',
      lease_ttl: 'int',
      /** Somebody follows this agent's events until then: commits notify. */
      watched_until: 'instant',
      /** Who holds the lease, for people: JSON of host, process and name. */
      lease_by: 'text',
      /** How often a worker was given the agent since its last whole answer, or input. */
      attempts: 'int',
      /** Not before then is it given to a worker again. */
      retry_at: 'instant',
      /** Why the last attempt ended: JSON. */
      failure: 'text',
    },
    key: ['tree', 'agent'],
    clustered: true,
  },
  /** What changes rarely or is wide. */
  agents: {
    columns: {
      tree: 'key',
      agent: 'key',
      agent_id: 'name',
      template_id: 'name',
      user_id: 'name',
      created_at: 'instant',
      config_version: 'text',
      lineage: 'text',
      parent_agent_id: 'text',
      parent_tool_call_id: 'text',
      metadata: 'text',
      /** As `long_id` of a call. */
      long_parent_call_id: 'text',
    },
    key: ['tree', 'agent'],
  },
  branches: {
    columns: {
      tree: 'key',
      branch: 'key',
      /** The agent that started it: the only one whose current branch it can be. */
      agent: 'key',
      /** The branch that holds the messages below `fork_seq`; null for a branch that begins at 0. */
      parent: 'key',
      fork_seq: 'int',
      /** Number of tool calls opened before `fork_seq`. */
      fork_call_seq: 'int',
      /** The parent's starter was at this version: what it compacted later isn't part of this line. */
      fork_version: 'int',
      /** The highest position that a fork or a snapshot needs: rows below it are never replaced. */
      pinned: 'int',
      /** Counts rewrites in place. */
      epoch: 'int',
      /** 1 once a row of it has another owner than `agent`. */
      adopted: 'small',
    },
    key: ['tree', 'branch'],
    clustered: true,
  },
  messages: {
    columns: {
      tree: 'key',
      branch: 'key',
      seq: 'int',
      owner: 'key',
      role: 'small',
      /** Bits of the content types in it: see `KIND_BITS`. */
      kinds: 'small',
      /** Number of tool calls opened up to and including this message. */
      call_count: 'int',
      created_at: 'stamp',
      /** The whole message as its exact JSON text. */
      payload: 'text',
    },
    key: ['tree', 'branch', 'seq'],
  },
  tool_calls: {
    columns: {
      tree: 'key',
      branch: 'key',
      call_seq: 'int',
      owner: 'key',
      tool_call_id: 'name',
      tool_name: 'name',
      state: 'small',
      is_error: 'small',
      approval_required: 'small',
      message_seq: 'int',
      /** The message with its tool_result block, once there. */
      result_seq: 'int',
      /** 1 if an earlier message may have asked for a later call. */
      late: 'small',
      created_at: 'instant',
      updated_at: 'instant',
      started_at: 'instant',
      completed_at: 'instant',
      /** Milliseconds, which may be a fraction. */
      duration_ms: 'real',
      input: 'text',
      output: 'text',
      error: 'text',
      approval: 'text',
      audit: 'text',
      /** JSON text of an id or a name that fits no index: the indexed column has its digest then. */
      long_id: 'text',
      long_name: 'text',
    },
    key: ['tree', 'branch', 'call_seq'],
  },
  /** Events of one instant in a row: a turn's are written, and read, together. */
  events: {
    columns: {
      tree: 'key',
      agent: 'key',
      cursor: 'cursor',
      /** Number of events; `cursor` is the last one's. */
      count: 'int',
      /** Bits of the channels in it: see `CHANNEL_BITS`. */
      channels: 'small',
      created_at: 'stamp',
      /** A JSON array of the events, each as its exact text. */
      payload: 'text',
    },
    key: ['tree', 'agent', 'cursor'],
  },
  /** Pieces of streamed text of a step that isn't committed: stale once `message_count` moved on. */
  deltas: {
    columns: { tree: 'key', agent: 'key', message_count: 'int', piece: 'int', payload: 'text' },
    key: ['tree', 'agent', 'piece'],
    clustered: true,
  },
  todos: {
    columns: { tree: 'key', agent: 'key', version: 'int', updated_at: 'instant', payload: 'text' },
    key: ['tree', 'agent'],
  },
  usage: {
    columns: {
      tree: 'key',
      agent: 'key',
      usage_seq: 'int',
      created_at: 'stamp',
      model: 'name',
      input_tokens: 'int',
      output_tokens: 'int',
      cached_tokens: 'int',
      reasoning_tokens: 'int',
      latency_ms: 'int',
      first_token_ms: 'int',
      config_hash: 'text',
    },
    key: ['tree', 'agent', 'usage_seq'],
    clustered: true,
  },
  snapshots: {
    columns: {
      tree: 'key',
      agent: 'key',
      snapshot_id: 'name',
      /** A reference: the messages below `position` of a branch's chain. Null with messages of its own. */
      branch: 'key',
      position: 'int',
      created_at: 'instant',
      last_sfp_index: 'int',
      bookmark_seq: 'int',
      bookmark_at: 'instant',
      metadata: 'text',
      messages: 'text',
    },
    key: ['tree', 'agent', 'snapshot_id'],
  },
  compactions: {
    columns: {
      tree: 'key',
      branch: 'key',
      /** The agent's version after the commit: the order of the compactions of a branch. */
      version: 'int',
      /** Number of messages that the conversation had when it was compacted. */
      position: 'int',
      /** Messages with a seq below it are replaced for the model. */
      upto: 'int',
      created_at: 'stamp',
      messages: 'text',
      metadata: 'text',
    },
    key: ['tree', 'branch', 'version'],
  },
  documents: {
    columns: {
      tree: 'key',
      agent: 'key',
      kind: 'name',
      name: 'name',
      created_at: 'stamp',
      updated_at: 'stamp',
      payload: 'text',
    },
    key: ['tree', 'agent', 'kind', 'name'],
  },
  operations: {
    columns: {
      tree: 'key',
      agent: 'key',
      operation_id: 'name',
      fingerprint: 'text',
      version: 'int',
      message_count: 'int',
      cursor: 'cursor',
      created_at: 'stamp',
    },
    key: ['tree', 'agent', 'operation_id'],
    clustered: true,
  },
  /**
   * Scalars of agents' metadata: one database's index for metadata filters, and nothing else. An agent's own rows
   * are found by the text that they were made of, so that none is stored a second time.
   */
  metadata: {
    columns: { path: 'name', value: 'name', agent: 'key', tree: 'key' },
    key: ['path', 'value', 'agent', 'tree'],
    clustered: true,
  },
  /** The other one's: the metadata as JSONB under a GIN index. */
  metadata_jsonb: {
    columns: { tree: 'key', agent: 'key', document: 'jsonb' },
    key: ['tree', 'agent'],
  },
} as const satisfies Record<string, Table>;

export type TableName = keyof typeof TABLES;

export function table(name: TableName): Table {
  return TABLES[name];
}

/** Bits of `messages.kinds`. */
export const KIND_BITS = { text: 1, tool_use: 2, tool_result: 4, other: 8 } as const;

/** Bits of `events.channels`. */
export const CHANNEL_BITS = { progress: 1, control: 2, monitor: 4 } as const;

/** Small integers for the words that repeat in every row. Never renumber: they are on disk. */
export const ROLE_CODES = { user: 0, assistant: 1, system: 2 } as const;
export const STATUS_CODES = { idle: 0, running: 1, awaiting_approval: 2, interrupted: 3, failed: 4 } as const;
export const STATE_CODES = {
  pending: 0,
  approval_required: 1,
  approved: 2,
  executing: 3,
  denied: 4,
  completed: 5,
  failed: 6,
  sealed: 7,
} as const;
