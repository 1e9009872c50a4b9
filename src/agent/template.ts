import { ValidationError } from '../errors.ts';
import { checkObject, describe, validateName } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { checkKeys, knownKeys } from '../model/known-keys.ts';
import { checkObjects } from './agent-arguments.ts';
import type { LanguageModel } from './model.ts';
import { type KnownTool, knownTools, type Tool, type ToolSet } from './tool.ts';
import type { ModelMessage, SystemModelMessage } from './translate/model-message.ts';

export const DEFAULT_MAX_STEPS = 50;
export const DEFAULT_TOOL_CONCURRENCY = 8;

/** Settings of the model's calls: the AI SDK's, under its names. */
export interface ModelSettings {
  temperature?: number | undefined;
  maxOutputTokens?: number | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  presencePenalty?: number | undefined;
  frequencyPenalty?: number | undefined;
  stopSequences?: string[] | undefined;
  seed?: number | undefined;
  /** Tries again after failures that may pass, honouring `retry-after`. Default: 2. */
  maxRetries?: number | undefined;
  headers?: Record<string, string | undefined> | undefined;
  toolChoice?: 'auto' | 'none' | 'required' | { type: 'tool'; toolName: string } | undefined;
  providerOptions?: Record<string, Record<string, unknown>> | undefined;
  [setting: string]: unknown;
}

export interface StepView {
  /** What would be sent. */
  messages: ModelMessage[];
  /** 0-based within the turn. */
  stepNumber: number;
}

/** What a step is sent instead. What is left out stays as the template says. */
export interface StepChanges extends ModelSettings {
  messages?: ModelMessage[] | undefined;
  system?: string | SystemModelMessage[] | undefined;
  model?: LanguageModel | undefined;
  /** Names of the tools that the model may use in this step. */
  activeTools?: string[] | undefined;
}

/** What kind of agent it is: everything about it that isn't its state. */
export interface AgentTemplate {
  /** Stored with the agent as its `templateId`. */
  id: string;
  systemPrompt?: string | SystemModelMessage[] | undefined;
  /** Tools made by `defineTool`, or the AI SDK's record of tools by name. */
  tools?: readonly Tool[] | ToolSet | undefined;
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

/** A template whose parts were checked. */
export interface ReadyTemplate {
  id: string;
  systemPrompt: string | SystemModelMessage[] | undefined;
  tools: Map<string, KnownTool>;
  settings: ModelSettings;
  maxSteps: number;
  toolConcurrency: number;
  prepareStep: AgentTemplate['prepareStep'];
  compactAt: number;
}

export function readyTemplate(template: AgentTemplate): ReadyTemplate {
  return reading('template', () => ready(template));
}

const TEMPLATE_KEYS = knownKeys<AgentTemplate>('is no field of a template', {
  id: true,
  systemPrompt: true,
  tools: true,
  settings: true,
  maxSteps: true,
  toolConcurrency: true,
  prepareStep: true,
  compactAt: true,
});

function ready(template: AgentTemplate): ReadyTemplate {
  checkObject('template', template);
  checkKeys('template', template, TEMPLATE_KEYS);
  validateName('template.id', template.id);
  const { systemPrompt, prepareStep, settings = {} } = template;
  if (systemPrompt !== undefined && typeof systemPrompt !== 'string' && !Array.isArray(systemPrompt)) {
    throw new ValidationError('template.systemPrompt', 'must be a string or an array of system messages');
  }
  checkObject('template.settings', settings);
  if (prepareStep !== undefined && typeof prepareStep !== 'function') {
    throw new ValidationError('template.prepareStep', `must be a function, not ${describe(prepareStep)}`);
  }
  return {
    id: template.id,
    systemPrompt: promptOf(systemPrompt),
    tools: knownTools(template.tools),
    settings,
    maxSteps: positive('template.maxSteps', template.maxSteps, DEFAULT_MAX_STEPS),
    toolConcurrency: positive('template.toolConcurrency', template.toolConcurrency, DEFAULT_TOOL_CONCURRENCY),
    prepareStep: prepareStep?.bind(template),
    compactAt: positive('template.compactAt', template.compactAt, Number.POSITIVE_INFINITY),
  };
}

function promptOf(prompt: AgentTemplate['systemPrompt']): ReadyTemplate['systemPrompt'] {
  if (prompt === '') return undefined;
  return Array.isArray(prompt) ? checkObjects('template.systemPrompt', prompt) : prompt;
}

function positive(field: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < 1) throw new ValidationError(field, 'must be a positive integer');
  return value;
}
