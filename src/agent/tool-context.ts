import type { NewEvent } from '../model/agent.ts';
import type { LanguageModel } from './model.ts';
import type { AgentTemplate } from './template.ts';
import type { ModelMessage } from './translate/model-message.ts';

/** Options of `context.spawn`. */
export interface SpawnOptions {
  /** Distinguishes several helpers of one call. Default: they are counted in the order of their start. */
  key?: string | undefined;
  /** Another model than the parent's. */
  provider?: LanguageModel | undefined;
  /** The helper's metadata, if it is new. */
  metadata?: Record<string, unknown> | undefined;
  /**
   * How long to wait for decisions on the helper's calls, in milliseconds. Default: one hour. Then it is an
   * `ApprovalRequiredError`; the helper goes on waiting, and with `Agent.resume` once it is decided.
   */
  decisionWaitMs?: number | undefined;
}

/** What a tool gets beside its input. It suits tools of the AI SDK, too. */
export interface ToolContext {
  /** The agent whose turn it is. */
  readonly agentId: string;
  /** The model's name for the call; may repeat within one agent. */
  readonly toolCallId: string;
  /** The call's ordinal within its agent. */
  readonly callSeq: number;
  /** Names this call and no other, and stays the same when an idempotent call is run again after a crash. */
  readonly idempotencyKey: string;
  /** Aborted when the turn is interrupted, the call's time is up, or the agent's lease is lost. */
  readonly signal: AbortSignal;
  /** The same as `signal`, under the model SDK's name. */
  readonly abortSignal: AbortSignal;
  /** What the model saw when it asked for the call. */
  readonly messages: ModelMessage[];
  /** Puts an event on the agent's timeline and returns its cursor. */
  emit(event: NewEvent): Promise<number>;
  /** Replaces the agent's to-dos. */
  setTodos(todos: unknown[]): Promise<void>;
  /**
   * Runs a helper: an agent of its own, whose id is derived from this call, so that the call finds it again
   * when it is run again. Resolves to its answer; waits while the helper waits for an approval.
   */
  spawn(template: AgentTemplate, input: string, options?: SpawnOptions): Promise<string>;
}
