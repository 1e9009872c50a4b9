import { ValidationError } from '../errors.ts';
import { describe, validateName } from '../model/ids.ts';
import { reading } from '../model/json.ts';

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
  const isModel = reading('provider', () => {
    const model = value as Partial<Exclude<LanguageModel, string>> | null | undefined;
    return typeof model === 'object' && typeof model?.doStream === 'function';
  });
  if (isModel) return;
  throw new ValidationError(
    'provider',
    `must be a language model of the AI SDK, as anthropic('…') or openai('…') make it, not ${describe(value)}`,
  );
}

/** Its name in the records of usage, where a name has 1 to 255 bytes. */
export function modelIdOf(model: LanguageModel): string {
  const id: unknown = typeof model === 'string' ? model : model.modelId;
  try {
    validateName('modelId', id);
    return id;
  } catch {
    return 'unknown';
  }
}

/**
 * OpenAI's Responses API keeps the conversation at OpenAI unless it is told not to, and later requests
 * would then refer to items by id. The state is the store's: requests carry it whole.
 */
export function defaultProviderOptions(model: LanguageModel): Record<string, Record<string, unknown>> {
  const provider = typeof model === 'string' ? '' : model.provider;
  return provider.startsWith('openai.responses') ? { openai: { store: false } } : {};
}
