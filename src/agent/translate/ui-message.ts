import type { ModelProviderOptions } from './model-message.ts';

interface WithMetadata {
  providerMetadata?: ModelProviderOptions;
}

export type UITextPart = { type: 'text'; text: string; state?: 'streaming' | 'done' } & WithMetadata;
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
export type UIStepStartPart = { type: 'step-start' };

export interface UIApprovalRequest {
  id: string;
}

export interface UIApproval<Approved extends boolean = boolean> {
  id: string;
  approved: Approved;
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

export type UIMessagePart =
  | UITextPart
  | UIReasoningPart
  | UIFilePart
  | UIToolPart
  | UIDataPart
  | UIStepStartPart;

/** A message as `useChat` keeps it; assignable to the SDK's own type. */
export interface UIMessage {
  id: string;
  role: 'system' | 'user' | 'assistant';
  parts: UIMessagePart[];
}

/** What this package says about a message that is being streamed. */
export interface UIMessageMetadata {
  /** The newest event that is part of the message: a reader goes on after it. */
  cursor: number;
}

interface ChunkCall {
  toolCallId: string;
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

export type UIFinishReason = 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'other';
