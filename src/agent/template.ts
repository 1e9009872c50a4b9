import type { LanguageModel } from './model.ts';
import type { Tool, ToolSet } from './tool.ts';
import type { ModelMessage, SystemModelMessage } from './translate/model-message.ts';

export const DEFAULT_MAX_STEPS = 50;
export const DEFAULT_TOOL_CONCURRENCY = 8;

/** Settings of the model's calls: the AI SDK's, under its names. */
export interface ModelSettings {
  /** How much chance decides, from 0 on; the range is the provider's. */
  temperature?: number | undefined;
  /** Most tokens of one answer. */
  maxOutputTokens?: number | undefined;
  /** Nucleus sampling: the share of probability that is chosen from, 0 to 1. */
  topP?: number | undefined;
  /** How many of the likeliest tokens are chosen from. */
  topK?: number | undefined;
  /** Makes repetition of what the prompt has less likely; 0 is none. */
  presencePenalty?: number | undefined;
  /** Makes a word less likely the more often it was used; 0 is none. */
  frequencyPenalty?: number | undefined;
  /** Texts at which the answer ends. */
  stopSequences?: string[] | undefined;
  /** Makes sampling repeatable, where the provider can do so. */
  seed?: number | undefined;
  /** Tries again after failures that may pass, honouring `retry-after`. Default: 2. */
  maxRetries?: number | undefined;
  /** Further headers of the HTTP request. */
  headers?: Record<string, string | undefined> | undefined;
  /** Whether the model may, must or mustn't call tools. Default: 'auto'. */
  toolChoice?: 'auto' | 'none' | 'required' | { type: 'tool'; toolName: string } | undefined;
  /** Options of one provider, by the provider's name. */
  providerOptions?: Record<string, Record<string, unknown>> | undefined;
  [setting: string]: unknown;
}

/** What `prepareStep` is shown of a model call that is about to be made. */
export interface StepView {
  /** What would be sent. */
  messages: ModelMessage[];
  /** 0-based within the turn. */
  stepNumber: number;
}

/** What a step is sent instead. What is left out stays as the template says. */
export interface StepChanges extends ModelSettings {
  /** The whole prompt, in place of `StepView.messages`. */
  messages?: ModelMessage[] | undefined;
  /** In place of the template's `systemPrompt`. */
  system?: string | SystemModelMessage[] | undefined;
  /** In place of the agent's model. */
  model?: LanguageModel | undefined;
  /** Names of the tools that the model may use in this step. */
  activeTools?: string[] | undefined;
}

/** What kind of agent it is: everything about it that isn't its state. */
export interface AgentTemplate {
  /** Stored with the agent as its `templateId`. */
  id: string;
  /**
   * What the model is told before the conversation: a text, or system messages with options of the provider.
   * It isn't stored.
   */
  systemPrompt?: string | SystemModelMessage[] | undefined;
  /** Tools made by `defineTool`, or the AI SDK's record of tools by name. */
  tools?: readonly Tool[] | ToolSet | undefined;
  /** Settings of each of the model's calls. */
  settings?: ModelSettings | undefined;
  /** Model calls per turn, after which it ends with `max_steps`. Default: 50. */
  maxSteps?: number | undefined;
  /** Calls of one step that run at the same time. Default: 8. */
  toolConcurrency?: number | undefined;
  /** Changes what is sent in one step, never what is stored. */
  prepareStep?(step: StepView): StepChanges | undefined | PromiseLike<StepChanges | undefined>;
  /** Tokens in the context at which it is replaced by a summary before the next model call. Default: never. */
  compactAt?: number | undefined;
}
