import { type AnthropicProvider, createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import type { ProviderKind } from './answer.ts';

/** A language model of the version that the installed provider packages speak. */
export type ProviderModel = ReturnType<AnthropicProvider>;

/** Reasoning models: their requests are prepared differently, and they get what others would be refused. */
const MODEL_IDS: Record<ProviderKind, string> = {
  anthropic: 'claude-sonnet-4-5',
  'openai-responses': 'gpt-5',
  'openai-chat': 'gpt-5',
};

/** A model of the real package for a server at this URL; for processes that didn't start the server. */
export function modelAt(kind: ProviderKind, url: string, modelId = MODEL_IDS[kind]): ProviderModel {
  const settings = { baseURL: `${url}/v1`, apiKey: 'test-key' };
  if (kind === 'anthropic') return createAnthropic(settings)(modelId);
  const openai = createOpenAI(settings);
  return kind === 'openai-chat' ? openai.chat(modelId) : openai.responses(modelId);
}
