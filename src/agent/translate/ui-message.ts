import type { ModelProviderOptions } from './model-message.ts';

/** What most parts and chunks may carry. */
interface WithMetadata {
  /** What the provider added, by the provider's name. */
  providerMetadata?: ModelProviderOptions;
}

/** Text that is shown; `state` says whether more of it comes. */
export type UITextPart = { type: 'text'; text: string; state?: 'streaming' | 'done' } & WithMetadata;
/** What the model thought, for who wants to show it. */
export type UIReasoningPart = {
  type: 'reasoning';
  text: string;
  state?: 'streaming' | 'done';
} & WithMetadata;
/** `url` is a URL, a data URL or a provider's file id; then `providerReference` has the id by provider. */
export type UIFilePart = {
  type: 'file';
  mediaType: string;
  filename?: string;
  url: string;
  providerReference?: Record<string, string>;
} & WithMetadata;
/** A block of a kind that user interfaces have no part for, whole. */
export type UIDataPart = { type: `data-${string}`; id?: string; data: unknown };
/** Another model call begins here. */
export type UIStepStartPart = { type: 'step-start' };

/** A call that waits for somebody. */
export interface UIApprovalRequest {
  /** The call's `callSeq` as a string. */
  id: string;
}

/** A decision about a call. */
export interface UIApproval<Approved extends boolean = boolean> {
  /** The call's `callSeq` as a string. */
  id: string;
  /** Whether the call was allowed. */
  approved: Approved;
  /** The note of whoever decided. */
  reason?: string;
}

/** How far a tool call has come. */
export type UIToolState =
  | { state: 'input-available'; input: unknown }
  | { state: 'approval-requested'; input: unknown; approval: UIApprovalRequest }
  | { state: 'approval-responded'; input: unknown; approval: UIApproval }
  | {
      state: 'output-available';
      input: unknown;
      output: unknown;
      resultProviderMetadata?: ModelProviderOptions;
      approval?: UIApproval<true>;
    }
  | {
      state: 'output-error';
      input: unknown;
      errorText: string;
      resultProviderMetadata?: ModelProviderOptions;
      approval?: UIApproval<true>;
    }
  | { state: 'output-denied'; input: unknown; approval: UIApproval<false> };

/** A tool call with its outcome; the tool's name is part of the type, as in the SDK's typed tools. */
export type UIToolPart = {
  type: `tool-${string}`;
  toolCallId: string;
  providerExecuted?: boolean;
  callProviderMetadata?: ModelProviderOptions;
} & UIToolState;

/** What a message is made of. */
export type UIMessagePart =
  | UITextPart
  | UIReasoningPart
  | UIFilePart
  | UIToolPart
  | UIDataPart
  | UIStepStartPart;

/** A message as `useChat` keeps it; assignable to the SDK's own type. */
export interface UIMessage {
  /** Unique within the conversation. */
  id: string;
  /** Who speaks. */
  role: 'system' | 'user' | 'assistant';
  /** In their order; an answer has those of all its steps. */
  parts: UIMessagePart[];
}

/** What this package says about a message that is being streamed. */
export interface UIMessageMetadata {
  /** The newest event that is part of the message: a reader goes on after it. */
  cursor: number;
}

/** What the chunks about a tool call have in common. */
interface ChunkCall {
  /** The model's name for the call. */
  toolCallId: string;
  /** The provider ran the tool itself. */
  providerExecuted?: boolean;
}

/** A piece of a message on its way to `useChat`; assignable to the SDK's own type. */
export type UIMessageChunk =
  | { type: 'start'; messageId?: string; messageMetadata?: UIMessageMetadata }
  | { type: 'start-step' }
  | ({ type: 'text-start' | 'text-end' | 'reasoning-start' | 'reasoning-end'; id: string } & WithMetadata)
  | ({ type: 'text-delta' | 'reasoning-delta'; id: string; delta: string } & WithMetadata)
  | ({ type: 'tool-input-start'; toolName: string } & ChunkCall & WithMetadata)
  | { type: 'tool-input-delta'; toolCallId: string; inputTextDelta: string }
  | ({ type: 'tool-input-available'; toolName: string; input: unknown } & ChunkCall)
  | ({ type: 'tool-output-available'; output: unknown; preliminary?: boolean } & ChunkCall)
  | ({ type: 'tool-output-error'; errorText: string } & ChunkCall)
  | { type: 'tool-output-denied'; toolCallId: string }
  | { type: 'tool-approval-request'; approvalId: string; toolCallId: string }
  | ({ type: 'source-url'; sourceId: string; url: string; title?: string } & WithMetadata)
  | ({
      type: 'source-document';
      sourceId: string;
      mediaType: string;
      title: string;
      filename?: string;
    } & WithMetadata)
  | ({ type: 'file'; url: string; mediaType: string } & WithMetadata)
  | { type: 'finish-step' }
  | { type: 'finish'; finishReason?: UIFinishReason; messageMetadata?: UIMessageMetadata }
  | { type: 'abort'; reason?: string }
  | { type: 'error'; errorText: string }
  | { type: 'message-metadata'; messageMetadata: UIMessageMetadata };

/** Why the model stopped, as the SDK says it. */
export type UIFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';
