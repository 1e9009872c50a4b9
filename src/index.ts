export * from './errors.ts';
export { JSONStore, type JSONStoreOptions } from './json/store.ts';
export type {
  AgentDocument,
  AgentInfo,
  AgentInfoInput,
  AgentStatus,
  Bookmark,
  Channel,
  CommitResult,
  Compaction,
  CompactionRecord,
  Delta,
  DocumentKind,
  LeaseToken,
  LoadedAgent,
  ModelUsage,
  NewEvent,
  NewSnapshot,
  Snapshot,
  SnapshotInfo,
  StoredEvent,
  TodoSnapshot,
  TurnCommit,
} from './model/agent.ts';
export { generateAgentId } from './model/ids.ts';
export type {
  ContentBlock,
  Json,
  MediaBlock,
  Message,
  MessageRecord,
  ProviderOptions,
  ReasoningBlock,
  Role,
  TextBlock,
  ToolResultBlock,
  ToolUseBlock,
  UnknownBlock,
} from './model/message.ts';
export type {
  AgentToolCallRecord,
  AuditEntry,
  ToolCallApproval,
  ToolCallRecord,
  ToolCallState,
  ToolCallUpdate,
} from './model/tool-call.ts';
export { type PostgresOptions, PostgresStore } from './postgres/store.ts';
export { type SqliteOptions, SqliteStore } from './sqlite/store.ts';
export type { JsonConfig, PostgresConfig, PostgresConnection, SqliteConfig } from './store/config.ts';
export { createExtendedStore, createStore } from './store/factory.ts';
export type {
  AgentStats,
  Instant,
  LatencyPercentiles,
  MessageQueryFilter,
  MetadataFilter,
  SessionQueryFilter,
  SortOrder,
  StatsFilter,
  TokenTotals,
  ToolCallQueryFilter,
} from './store/filters.ts';
export type {
  AgentLease,
  ApprovalDecision,
  ClaimOptions,
  ConsistencyIssue,
  ConsistencyReport,
  ExtendedStore,
  ForkOptions,
  HealthReport,
  LeaseOptions,
  OperationMetrics,
  QueryableStore,
  ReadEventsOptions,
  Store,
  StoreMetrics,
  WatchItem,
  WatchOptions,
  WriteOptions,
} from './store/store.ts';
