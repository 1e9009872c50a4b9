import { ValidationError } from '../errors.ts';
import { checkObject, describe, validateName } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { checkKeys, knownKeys } from '../model/known-keys.ts';
import { checkObjects } from './check-objects.ts';
import { type KnownTool, knownTools } from './known-tools.ts';
import {
  type AgentTemplate,
  DEFAULT_MAX_STEPS,
  DEFAULT_TOOL_CONCURRENCY,
  type ModelSettings,
} from './template.ts';
import type { SystemModelMessage } from './translate/model-message.ts';

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
