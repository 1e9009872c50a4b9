/** A value that JSON can represent. What can't be represented is refused when it is saved. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** Options of a model provider that must go back to the model as they came (signatures, item ids). */
export type ProviderOptions = Record<string, unknown>;

/** What every block may carry. */
interface BlockCommon {
  /** What must go back to the provider with the block. */
  providerOptions?: ProviderOptions;
}

/** Text, of whoever speaks. */
export interface TextBlock extends BlockCommon {
  type: 'text';
  /** As it was written. */
  text: string;
}

/** What the model thought before it answered. */
export interface ReasoningBlock extends BlockCommon {
  type: 'reasoning';
  /** As the model wrote it. */
  reasoning: string;
}

/** The model asks for a tool. In a commit it opens a tool call. */
export interface ToolUseBlock extends BlockCommon {
  type: 'tool_use';
  /** The model's name for the call; may repeat within one agent. */
  id: string;
  /** The tool that it asks for. Any text up to 64 KB. */
  name: string;
  /** As the model wrote it: usually an object. */
  input: unknown;
  /** The provider ran the tool itself (web search and the like). */
  providerExecuted?: boolean;
}

/** What the model saw of a tool's outcome: computed once and never again. */
export interface ToolResultBlock extends BlockCommon {
  type: 'tool_result';
  /** The `id` of the call that it answers. */
  tool_use_id: string;
  /** A text, or items of other kinds, as the model saw it. */
  content: unknown;
  /** The call failed, or was denied. */
  is_error?: boolean;
}

/** An image, a recording or a file: by `url`, by `base64` or by `file_id`. */
export interface MediaBlock extends BlockCommon {
  /** What it is. */
  type: 'image' | 'audio' | 'video' | 'file';
  /** Where it is. */
  url?: string;
  /** Its bytes. */
  base64?: string;
  /** Its id with the provider that has it. */
  file_id?: string;
  /** IANA media type, as `image/png`. */
  mime_type?: string;
  /** For whoever reads the conversation. */
  filename?: string;
}

/** A block of a kind that this version doesn't know: kept whole. */
export interface UnknownBlock extends BlockCommon {
  /** Which kind it is: any name that isn't one of the other blocks'. */
  type: string;
  [key: string]: unknown;
}

/** A part of a message. Keys that its kind doesn't name are kept. */
export type ContentBlock =
  | TextBlock
  | ReasoningBlock
  | ToolUseBlock
  | ToolResultBlock
  | MediaBlock
  | UnknownBlock;

/** Who speaks. Results of tools are in `user` messages. */
export type Role = 'user' | 'assistant' | 'system';

/**
 * One message of a conversation. It is stored as its exact JSON text: what is loaded stringifies to what
 * was saved, key order included. Messages are never updated in place.
 */
export interface Message {
  /** Who speaks. */
  role: Role;
  /** Blocks, in their order; may be empty. */
  content: ContentBlock[];
  /** An object of the caller's. Models don't see it. */
  metadata?: Record<string, unknown>;
  /** What must go back to the provider with the message. */
  providerOptions?: ProviderOptions;
}

/** A message as queries return it. Its identity is (agentId, seq); `seq` is 0-based and gap-free. */
export interface MessageRecord {
  /** Who owns the stored message: the agent that wrote it, or asked for its own conversation. */
  agentId: string;
  /** Its position in the conversation. */
  seq: number;
  /** Who speaks. */
  role: Role;
  /** Blocks, in their order. */
  content: ContentBlock[];
  /** An object of the caller's. */
  metadata?: Record<string, unknown>;
  /** What must go back to the provider with the message. */
  providerOptions?: ProviderOptions;
  /** When the message was committed, or when it happened for imports; never changes. */
  createdAt: Date;
}
