import { ValidationError } from '../errors.ts';
import { describe } from '../model/ids.ts';

/**
 * A language model of the AI SDK (`anthropic('…')`, `openai('…')` and many others), or a model's name for
 * the SDK's global provider. Only what the agent looks at is named here.
 */
export type LanguageModel =
  | string
  | {
      readonly specificationVersion: string;
      readonly provider: string;
      readonly modelId: string;
      doStream(options: never): PromiseLike<unknown>;
    };

/** Refuses what isn't a model, and says what to pass instead. */
export function validateModel(value: unknown): asserts value is LanguageModel {
  if (typeof value === 'string' && value !== '') return;
  if (typeof value === 'function') {
    throw new ValidationError(
      'provider',
      "is a provider's function, not a model; call it with a model's id, as in anthropic('claude-…')",
    );
  }
  const model = value as Partial<Exclude<LanguageModel, string>> | null | undefined;
  if (typeof model === 'object' && model !== null && typeof model.doStream === 'function') return;
  throw new ValidationError(
    'provider',
    `must be a language model of the AI SDK, as anthropic('…') or openai('…') make it, not ${describe(value)}`,
  );
}

export function modelIdOf(model: LanguageModel): string {
  return typeof model === 'string' ? model : model.modelId;
}

/**
 * OpenAI's Responses API keeps the conversation at OpenAI unless it is told not to, and later requests
 * would then refer to items by id. The state is the store's: requests carry it whole.
 */
export function defaultProviderOptions(model: LanguageModel): Record<string, Record<string, unknown>> {
  const provider = typeof model === 'string' ? '' : model.provider;
  return provider.startsWith('openai.responses') ? { openai: { store: false } } : {};
}
