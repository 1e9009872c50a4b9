/** A JSON value as the model SDK types it: an optional key may be there without a value. */
export type JsonValue = null | string | number | boolean | JsonObject | JsonValue[];
/** An object of JSON values. */
export type JsonObject = { [key: string]: JsonValue | undefined };

/** Options by provider, as the model SDK types them. */
export type ModelProviderOptions = Record<string, JsonObject>;

/** What every part and message of a prompt may carry. */
interface WithOptions {
  /** Options by the provider's name. */
  providerOptions?: ModelProviderOptions;
}

/** Text of a prompt. */
export interface TextPart extends WithOptions {
  type: 'text';
  /** As it was written. */
  text: string;
}

/** An image whose media type isn't known; one with a media type is a file part. */
export interface ImagePart extends WithOptions {
  type: 'image';
  /** Base64, a URL or a provider's file id. */
  image: string;
  /** Absent where it isn't known. */
  mediaType?: string;
}

/** A file of any kind, images with a media type included. */
export interface FilePart extends WithOptions {
  type: 'file';
  /** Base64, a URL or a provider's file id. */
  data: string;
  /** IANA media type, as `image/png`. */
  mediaType: string;
  /** For the provider to show. */
  filename?: string;
}

/** What the model thought before it answered. */
export interface ReasoningPart extends WithOptions {
  type: 'reasoning';
  /** As the model wrote it. */
  text: string;
}

/** The model asks for a tool. */
export interface ToolCallPart extends WithOptions {
  type: 'tool-call';
  /** The model's name for the call. */
  toolCallId: string;
  /** The tool that it asks for. */
  toolName: string;
  /** As the model wrote it. */
  input: unknown;
  /** The provider runs the tool itself. */
  providerExecuted?: boolean;
}

/** What a tool's call gave. */
export interface ToolResultPart extends WithOptions {
  type: 'tool-result';
  /** The call that it answers. */
  toolCallId: string;
  /** The tool that was called. */
  toolName: string;
  /** What the model sees of it. */
  output: ToolResultOutput;
}

/** The SDK waits for somebody to allow a call. */
export interface ToolApprovalRequest {
  type: 'tool-approval-request';
  /** What the response names. */
  approvalId: string;
  /** The call that waits. */
  toolCallId: string;
}

/** A decision about a call. */
export interface ToolApprovalResponse {
  type: 'tool-approval-response';
  /** The request that it answers. */
  approvalId: string;
  /** Whether the call may run. */
  approved: boolean;
  /** What the model is told about it. */
  reason?: string;
  /** The provider runs the tool itself. */
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

/** What a user message is made of. */
export type UserPart = TextPart | ImagePart | FilePart;
/** What an answer is made of. */
export type AssistantPart =
  | TextPart
  | FilePart
  | ReasoningPart
  | ToolCallPart
  | ToolResultPart
  | ToolApprovalRequest;
/** What a tool message is made of. */
export type ToolPart = ToolResultPart | ToolApprovalResponse;
/** Any part of a prompt. */
export type ModelPart = UserPart | AssistantPart | ToolPart;

/** An instruction to the model. */
export interface SystemModelMessage extends WithOptions {
  role: 'system';
  /** Its text. */
  content: string;
}

/** What somebody said to the model. */
export interface UserModelMessage extends WithOptions {
  role: 'user';
  /** A text, or parts. */
  content: string | UserPart[];
}

/** What the model said. */
export interface AssistantModelMessage extends WithOptions {
  role: 'assistant';
  /** A text, or parts. */
  content: string | AssistantPart[];
}

/** What tools gave. */
export interface ToolModelMessage extends WithOptions {
  role: 'tool';
  /** A part for each result. */
  content: ToolPart[];
}

/**
 * A message of a model's prompt. These types have the form of the model SDK's own and are assignable to
 * them, so that the package can be type checked without it.
 */
export type ModelMessage = SystemModelMessage | UserModelMessage | AssistantModelMessage | ToolModelMessage;

/** A part as any version of the model SDK types it. */
export interface ModelPartInput {
  /** Which kind of part it is; one that this package doesn't know is kept whole. */
  readonly type: string;
}

/** A message as any version of the model SDK types it. */
export interface ModelMessageInput {
  /** Who speaks; results of tools have a message of their own. */
  readonly role: ModelMessage['role'];
  /** A text, or parts. */
  readonly content: string | readonly ModelPartInput[];
  /** Options by the provider's name. */
  readonly providerOptions?: Readonly<Record<string, unknown>> | undefined;
}
