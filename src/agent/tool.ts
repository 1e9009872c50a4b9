import type { ModelMessage } from './translate/model-message.ts';

/** What `needsApproval` is told beside the input. */
export interface ApprovalContext {
  /** The model's name for the call. */
  toolCallId: string;
  /** What the model saw when it asked for the call. */
  messages: ModelMessage[];
}

/** A tool as `defineTool` makes it. */
export interface Tool {
  /** How the model calls it. */
  readonly name: string;
  /** What the model is told of it. */
  readonly description?: string | undefined;
  /** As it was given; undefined for an object without properties. */
  readonly inputSchema: unknown;
  /** Whether a call that a crash cut off may be run again. */
  readonly idempotent: boolean;
  /** Milliseconds after which a call fails; undefined: never. */
  readonly timeoutMs?: number | undefined;
  /** As it was given. */
  readonly needsApproval?: boolean | ((input: never, context: never) => boolean | PromiseLike<boolean>);
  /** As it was given. */
  readonly execute: (input: never, context: never) => unknown;
  /** As it was given. */
  readonly toModelOutput?: (call: never) => unknown;
}

/** A record of the AI SDK's tools by name (`tool()`, MCP clients). */
export type ToolSet = Readonly<Record<string, SdkTool>>;

/** A tool of the AI SDK, as far as the agent looks at it. */
export interface SdkTool {
  /** What the model is told of it. */
  readonly description?: unknown;
  /** What its input must be. */
  readonly inputSchema?: unknown;
  /** Whether somebody must allow a call: true, false or a function. Approvals are kept by the store. */
  readonly needsApproval?: unknown;
  /** Runs a call. Without it, the provider must be the one that runs it. */
  readonly execute?: unknown;
  /** What the model sees of an output. */
  readonly toModelOutput?: unknown;
  /** `provider` for a tool that the provider runs. */
  readonly type?: string | undefined;
}
