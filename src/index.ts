export { Agent } from './agent/agent.ts';
export type {
  CreateOptions,
  FollowOptions,
  OpenOptions,
  ResumeOptions,
  TurnOptions,
} from './agent/agent-options.ts';
export type { CompactionResult } from './agent/compaction.ts';
export type { InferInput, ToolDefinition } from './agent/define-tool.ts';
export { defineTool } from './agent/define-tool.ts';
export {
  AgentBusyError,
  AgentClosedError,
  AgentNotOpenedError,
  ApprovalRequiredError,
  MaxStepsError,
  ModelError,
  SlowReaderError,
  TurnInterruptedError,
} from './agent/errors.ts';
export { followAgent } from './agent/follow.ts';
export type { LanguageModel } from './agent/model.ts';
export type { AgentStreamPart, PartOf, TokenUsage, TurnStatus } from './agent/stream-part.ts';
export type { AgentTemplate, ModelSettings, StepChanges, StepView } from './agent/template.ts';
export type { ApprovalContext, SdkTool, Tool, ToolSet } from './agent/tool.ts';
export type { SpawnOptions, ToolContext } from './agent/tool-context.ts';
export { fromModelMessages } from './agent/translate/from-model-messages.ts';
export type {
  ModelMessage,
  ModelMessageInput,
  SystemModelMessage,
  ToolResultOutput,
} from './agent/translate/model-message.ts';
export type { LeftOut, PromptOptions } from './agent/translate/to-model-messages.ts';
export { toModelMessages } from './agent/translate/to-model-messages.ts';
export type { UIMessage, UIMessageChunk, UIMessageMetadata } from './agent/translate/ui-message.ts';
export { toUIMessages } from './agent/translate/ui-messages.ts';
export type { UIMessageStreamOptions, UIMessagesOptions } from './agent/translate/ui-options.ts';
export { toUIMessageStream } from './agent/translate/ui-stream.ts';
export type { TurnResult } from './agent/turn.ts';
export {
  AgentExistsError,
  AgentNotFoundError,
  AlreadyDecidedError,
  CorruptDataError,
  EventsPrunedError,
  KodeError,
  type LeaseHolder,
  LeaseNotHeldError,
  LockTimeoutError,
  SchemaVersionError,
  StoreBusyError,
  StoreClosedError,
  StoreConfigError,
  StoreReadOnlyError,
  StoreUnavailableError,
  ValidationError,
  VersionConflictError,
  type WriteOutcome,
} from './errors.ts';
export { JSONStore } from './json/store.ts';
export type {
  AgentDocument,
  AgentFailure,
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
  WorkingSet,
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
export type { PostgresOptions } from './postgres/options.ts';
export { PostgresStore } from './postgres/store.ts';
export { SqliteStore } from './sqlite/store.ts';
export type {
  JSONStoreOptions,
  JsonConfig,
  PostgresConfig,
  PostgresConnection,
  SqliteConfig,
  SqliteOptions,
} from './store/config.ts';
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
  BackupOptions,
  ClaimOptions,
  ConsistencyIssue,
  ConsistencyOptions,
  ConsistencyProgress,
  ConsistencyReport,
  ExtendedStore,
  ForkOptions,
  HealthReport,
  LeaseOptions,
  LongCallOptions,
  OperationMetrics,
  QueryableStore,
  ReadEventsOptions,
  Store,
  StoreMetrics,
  WatchItem,
  WatchOptions,
  WriteOptions,
} from './store/store.ts';
