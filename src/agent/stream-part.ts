/** How a turn ended. */
export type TurnStatus = 'completed' | 'awaiting_approval' | 'interrupted' | 'max_steps';

/** Tokens of a step or a turn; what the provider doesn't tell is absent. */
export interface TokenUsage {
  /** Of all prompts, cached ones included. */
  inputTokens?: number;
  /** Of all answers, reasoning included. */
  outputTokens?: number;
  /** Those of `inputTokens` that came from a cache of the provider. */
  cachedTokens?: number;
  /** Those of `outputTokens` that were spent on reasoning. */
  reasoningTokens?: number;
}

/** What the parts about a tool call have in common. */
interface CallName {
  /** The model's name for the call; may repeat within one agent. */
  toolCallId: string;
  /** The tool's name, as the model wrote it. */
  toolName: string;
  /** As the model wrote it. */
  input: unknown;
  /** The call's ordinal within its agent. */
  callSeq: number;
  /** The provider ran the tool itself (web search and the like). */
  providerExecuted?: boolean;
}

/** What the parts of one streamed text, or of one streamed input, have in common. */
interface Streamed {
  /** Tells texts apart that are streamed side by side; for a tool input, the id of its call. */
  id: string;
  /** What the provider added, by the provider's name. */
  providerMetadata?: Record<string, unknown>;
}

/** The parts by `type`. Each is described in the reference of the agent. */
type Part =
  | { type: 'start'; turnId: string }
  | { type: 'start-step'; stepNumber: number }
  | ({ type: 'text-start' } & Streamed)
  | ({ type: 'text-delta'; text: string } & Streamed)
  | ({ type: 'text-end' } & Streamed)
  | ({ type: 'reasoning-start' } & Streamed)
  | ({ type: 'reasoning-delta'; text: string } & Streamed)
  | ({ type: 'reasoning-end' } & Streamed)
  | ({ type: 'tool-input-start'; toolName: string; providerExecuted?: boolean } & Streamed)
  | ({ type: 'tool-input-delta'; delta: string } & Streamed)
  | ({ type: 'tool-input-end' } & Streamed)
  | ({ type: 'tool-call' } & CallName)
  | ({ type: 'tool-result'; output: unknown; preliminary?: boolean } & CallName)
  | ({ type: 'tool-error'; error: string } & CallName)
  | { type: 'tool-approval-request'; approvalId: string; toolCall: CallName }
  | ({ type: 'tool-output-denied' } & CallName)
  | { type: 'source'; sourceType: string; id: string; url?: string; title?: string; [key: string]: unknown }
  | { type: 'file'; file: { base64: string; mediaType: string } }
  | { type: 'finish-step'; stepNumber: number; finishReason: string; usage: TokenUsage }
  | { type: 'finish'; status: TurnStatus; finishReason: string; totalUsage: TokenUsage }
  | { type: 'abort'; reason?: string }
  | { type: 'error'; error: unknown }
  | { type: 'raw'; rawValue: unknown };

/**
 * A piece of a turn as it happens, under the model SDK's names. A part that stands for something committed
 * carries the cursor of its event, from which another reader can go on.
 */
export type AgentStreamPart = Part & { cursor?: number };

/** Narrows a part by its name. */
export type PartOf<T extends Part['type']> = Extract<Part, { type: T }> & { cursor?: number };
