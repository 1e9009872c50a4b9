/** A JSON value as the model SDK types it: an optional key may be there without a value. */
export type JsonValue = null | string | number | boolean | JsonObject | JsonValue[];
export type JsonObject = { [key: string]: JsonValue | undefined };

/** Options by provider, as the model SDK types them. */
export type ModelProviderOptions = Record<string, JsonObject>;

interface WithOptions {
  providerOptions?: ModelProviderOptions;
}

export interface TextPart extends WithOptions {
  type: 'text';
  text: string;
}

/** An image whose media type isn't known; one with a media type is a file part. */
export interface ImagePart extends WithOptions {
  type: 'image';
  /** Base64, a URL or a provider's file id. */
  image: string;
  mediaType?: string;
}

export interface FilePart extends WithOptions {
  type: 'file';
  /** Base64, a URL or a provider's file id. */
  data: string;
  mediaType: string;
  filename?: string;
}

export interface ReasoningPart extends WithOptions {
  type: 'reasoning';
  text: string;
}

export interface ToolCallPart extends WithOptions {
  type: 'tool-call';
  toolCallId: string;
  toolName: string;
  input: unknown;
  providerExecuted?: boolean;
}

export interface ToolResultPart extends WithOptions {
  type: 'tool-result';
  toolCallId: string;
  toolName: string;
  output: ToolResultOutput;
}

export interface ToolApprovalRequest {
  type: 'tool-approval-request';
  approvalId: string;
  toolCallId: string;
}

export interface ToolApprovalResponse {
  type: 'tool-approval-response';
  approvalId: string;
  approved: boolean;
  reason?: string;
  providerExecuted?: boolean;
}

/** What a model is shown of a tool's outcome. */
export type ToolResultOutput = WithOptions &
  (
    | { type: 'text'; value: string }
    | { type: 'json'; value: JsonValue }
    | { type: 'error-text'; value: string }
    | { type: 'error-json'; value: JsonValue }
    | { type: 'execution-denied'; reason?: string }
    | { type: 'content'; value: ToolResultItem[] }
  );

/** An item of a tool result made of several. */
export type ToolResultItem = WithOptions &
  (
    | { type: 'text'; text: string }
    | { type: 'file-data'; data: string; mediaType: string; filename?: string }
    | { type: 'file-url'; url: string; mediaType?: string }
    | { type: 'file-id'; fileId: string | Record<string, string> }
    | { type: 'image-data'; data: string; mediaType: string }
    | { type: 'image-url'; url: string }
    | { type: 'image-file-id'; fileId: string | Record<string, string> }
    | { type: 'custom' }
  );

export type UserPart = TextPart | ImagePart | FilePart;
export type AssistantPart =
  | TextPart
  | FilePart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | ToolApprovalRequest;
export type ToolPart = ToolResultPart | ToolApprovalResponse;
export type ModelPart = UserPart | AssistantPart | ToolPart;

export interface SystemModelMessage extends WithOptions {
  role: 'system';
  content: string;
}

export interface UserModelMessage extends WithOptions {
  role: 'user';
  content: string | UserPart[];
}

export interface AssistantModelMessage extends WithOptions {
  role: 'assistant';
  content: string | AssistantPart[];
}

export interface ToolModelMessage extends WithOptions {
  role: 'tool';
  content: ToolPart[];
}

/**
 * A message of a model's prompt. These types have the form of the model SDK's own and are assignable to
 * them, so that the package can be type checked without it.
 */
export type ModelMessage = SystemModelMessage | UserModelMessage | AssistantModelMessage | ToolModelMessage;

/** A part as any version of the model SDK types it. */
export interface ModelPartInput {
  readonly type: string;
}

/** A message as any version of the model SDK types it. */
export interface ModelMessageInput {
  readonly role: ModelMessage['role'];
  readonly content: string | readonly ModelPartInput[];
  readonly providerOptions?: Readonly<Record<string, unknown>> | undefined;
}
