import type {
  AgentInfo,
  AgentStatus,
  DocumentKind,
  ModelUsage,
  NewEvent,
  TodoSnapshot,
} from '../../src/model/agent.ts';
import type { ContentBlock, Message } from '../../src/model/message.ts';
import type { ToolCallRecord } from '../../src/model/tool-call.ts';

/** One message, stored once, whoever's conversation it is in. */
export interface Row {
  /** The exact JSON text of the message. */
  readonly text: string;
  readonly createdAt: number;
  /** Key of the agent that wrote it. */
  readonly writer: number;
}

/** One tool call, stored once. A change makes a new object with the same key. */
export interface Call {
  readonly key: number;
  readonly writer: number;
  readonly record: Readonly<ToolCallRecord>;
}

export interface ModelSnapshot {
  readonly id: string;
  readonly messages: readonly string[];
  /** The agent's own rows where the messages were a prefix of its conversation, otherwise absent. */
  readonly rows?: readonly Row[];
  /** The calls of rows that a rewrite has taken out of the agent's conversation since. */
  calls?: readonly Call[];
  readonly lastSfpIndex: number;
  readonly createdAt: number;
  readonly metadata?: Record<string, unknown>;
}

export interface ModelCompaction {
  readonly seq: number;
  readonly messages: readonly string[];
  readonly createdAt: number;
  /** Number of messages that the conversation had. */
  readonly madeAt: number;
  /** A rewrite has cut the conversation below `madeAt` since. */
  cut: boolean;
}

interface ModelDocument {
  readonly kind: DocumentKind;
  readonly name: string;
  readonly content: string;
  readonly createdAt: number;
  readonly updatedAt: number;
}

/** An agent as plain values. Arrays are replaced, never changed, so that a copy of the object is a copy. */
export interface ModelAgent {
  /** Rises with each agent that is created: its age. */
  readonly key: number;
  readonly id: string;
  readonly createdAt: number;
  readonly lineage: readonly string[];
  templateId: string;
  userId?: string | undefined;
  status: AgentStatus;
  configVersion: string;
  lastSfpIndex: number;
  breakpoint?: string | undefined;
  metadata: Record<string, unknown>;
  version: number;
  /** The newest instant that was given to anything of this agent. */
  lastAt: number;
  rows: readonly Row[];
  calls: readonly Call[];
  events: readonly NewEvent[];
  todos?: Required<TodoSnapshot> | undefined;
  compactions: readonly ModelCompaction[];
  /** There was a compaction once, even if a rewrite has dropped it. */
  wasCompacted: boolean;
  snapshots: readonly ModelSnapshot[];
  documents: readonly ModelDocument[];
  usage: readonly ModelUsage[];
  operations: ReadonlyMap<string, { fingerprint: string; result: { version: number } }>;
}

export function newAgent(key: number, id: string, createdAt: number): ModelAgent {
  return {
    key,
    id,
    createdAt,
    lineage: [],
    templateId: 'default',
    status: 'idle',
    configVersion: '1',
    lastSfpIndex: -1,
    metadata: {},
    version: 1,
    lastAt: createdAt,
    rows: [],
    calls: [],
    events: [],
    compactions: [],
    wasCompacted: false,
    snapshots: [],
    documents: [],
    usage: [],
    operations: new Map(),
  };
}

/** What `loadInfo` gives, `updatedAt` aside: other writes than commits may move it. */
export function infoOf(agent: ModelAgent): Omit<AgentInfo, 'updatedAt'> {
  return {
    agentId: agent.id,
    templateId: agent.templateId,
    ...(agent.userId === undefined ? {} : { userId: agent.userId }),
    status: agent.status,
    createdAt: new Date(agent.createdAt),
    configVersion: agent.configVersion,
    lineage: [...agent.lineage],
    messageCount: agent.rows.length,
    lastSfpIndex: agent.lastSfpIndex,
    ...(agent.breakpoint === undefined ? {} : { breakpoint: agent.breakpoint }),
    metadata: agent.metadata,
    version: agent.version,
    attempts: 0,
  };
}

export function parseMessage(text: string): Message {
  return JSON.parse(text) as Message;
}

export function blocksOf(text: string): readonly ContentBlock[] {
  return parseMessage(text).content;
}

/** Ids of the tool calls that a message asks for, or whose results it has. */
export function askedIn(text: string): { id: string; name: string; input: unknown }[] {
  return blocksOf(text)
    .filter((block) => block.type === 'tool_use')
    .map((block) => block as unknown as { id: string; name: string; input: unknown });
}

function answeredIn(text: string): string[] {
  return blocksOf(text)
    .filter((block) => block.type === 'tool_result')
    .map((block) => (block as unknown as { tool_use_id: string }).tool_use_id);
}

/** Whether the call's result is in these messages: after its question, before the next one under its id. */
export function isAnswered(rows: readonly Row[], { messageSeq, toolCallId }: ToolCallRecord): boolean {
  if (messageSeq === undefined) return false;
  for (const row of rows.slice(messageSeq + 1)) {
    if (answeredIn(row.text).includes(toolCallId)) return true;
    if (askedIn(row.text).some((use) => use.id === toolCallId)) return false;
  }
  return false;
}

export function isPrefix(rows: readonly Row[], of: readonly Row[]): boolean {
  return rows.every((row, n) => of[n] === row);
}
