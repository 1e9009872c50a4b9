/** A value that JSON can represent. What can't be represented is refused when it is saved. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Options of a model provider that must go back to the model as they came (signatures, item ids). */
export type ProviderOptions = Record<string, unknown>;

interface BlockCommon {
  providerOptions?: ProviderOptions;
}

export interface TextBlock extends BlockCommon {
  type: 'text';
  text: string;
}

export interface ReasoningBlock extends BlockCommon {
  type: 'reasoning';
  reasoning: string;
}

/** The model asks for a tool. In a commit it opens a tool call. */
export interface ToolUseBlock extends BlockCommon {
  type: 'tool_use';
  /** The model's name for the call; may repeat within one agent. */
  id: string;
  name: string;
  input: unknown;
  /** The provider ran the tool itself (web search and the like). */
  providerExecuted?: boolean;
}

/** What the model saw of a tool's outcome: computed once and never again. */
export interface ToolResultBlock extends BlockCommon {
  type: 'tool_result';
  tool_use_id: string;
  content: unknown;
  is_error?: boolean;
}

export interface MediaBlock extends BlockCommon {
  type: 'image' | 'audio' | 'video' | 'file';
  url?: string;
  base64?: string;
  file_id?: string;
  mime_type?: string;
  filename?: string;
}

/** A block of a kind that this version doesn't know: kept whole. */
export interface UnknownBlock extends BlockCommon {
  type: string;
  [key: string]: unknown;
}

export type ContentBlock =
  | TextBlock
  | ReasoningBlock
  | ToolUseBlock
  | ToolResultBlock
  | MediaBlock
  | UnknownBlock;

export type Role = 'user' | 'assistant' | 'system';

/**
 * One message of a conversation. It is stored as its exact JSON text: what is loaded stringifies to what
 * was saved, key order included. Messages are never updated in place.
 */
export interface Message {
  role: Role;
  content: ContentBlock[];
  metadata?: Record<string, unknown>;
  providerOptions?: ProviderOptions;
}

/** A message as queries return it. Its identity is (agentId, seq); `seq` is 0-based and gap-free. */
export interface MessageRecord {
  agentId: string;
  seq: number;
  role: Role;
  content: ContentBlock[];
  metadata?: Record<string, unknown>;
  providerOptions?: ProviderOptions;
  /** When the message was committed, or when it happened for imports; never changes. */
  createdAt: Date;
}
