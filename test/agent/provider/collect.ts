import { anthropic } from '@ai-sdk/anthropic';
import { openai } from '@ai-sdk/openai';
import { jsonSchema, type ModelMessage, streamText, type TextStreamPart, type ToolSet } from 'ai';
import type { ProviderKind, TestProvider } from './provider.ts';

export const KINDS: ProviderKind[] = ['anthropic', 'openai-responses', 'openai-chat'];

const TOOLS: ToolSet = {
  lookup: {
    description: 'Looks something up.',
    inputSchema: jsonSchema({ type: 'object', properties: { q: { type: 'string' } } }),
  },
};

// The packages' own tools don't fit the SDK's ToolSet under exactOptionalPropertyTypes.
const SEARCH: Record<ProviderKind, object> = {
  anthropic: { web_search: anthropic.tools.webSearch_20250305({}) },
  'openai-responses': { web_search: openai.tools.webSearch({}) },
  'openai-chat': {},
};

/** A tool of ours, and the search that the provider runs itself, where it has one. */
export function toolsFor(kind: ProviderKind): ToolSet {
  return { ...TOOLS, ...SEARCH[kind] };
}

interface AskOptions {
  messages?: ModelMessage[];
  tools?: ToolSet;
  maxRetries?: number;
  abortSignal?: AbortSignal;
  onPart?: (part: TextStreamPart<ToolSet>) => void;
}

/** What a model call gave: its parts, and what its stream failed with. */
export interface Asked {
  parts: TextStreamPart<ToolSet>[];
  thrown?: unknown;
  messages: ModelMessage[];
}

/** One model call through the real packages. Its state stays with the client, so that replays carry it. */
export async function ask({ model }: Pick<TestProvider, 'model'>, options: AskOptions = {}): Promise<Asked> {
  const { messages = [{ role: 'user', content: 'Hi' }], tools = TOOLS, onPart, ...rest } = options;
  const providerOptions = { openai: { store: false } };
  const result = streamText({ model, messages, tools, providerOptions, onError: () => {}, ...rest });
  const parts: TextStreamPart<ToolSet>[] = [];
  let failure: { thrown: unknown } | undefined;
  try {
    for await (const part of result.fullStream) {
      parts.push(part);
      onPart?.(part);
    }
  } catch (thrown) {
    failure = { thrown };
  }
  const made = await Promise.resolve(result.response).then(
    (response) => response.messages,
    () => [],
  );
  return { parts, messages: made, ...failure };
}

/** The parts of one type. */
export function partsOf<T extends TextStreamPart<ToolSet>['type']>(
  { parts }: Pick<Asked, 'parts'>,
  type: T,
): Extract<TextStreamPart<ToolSet>, { type: T }>[] {
  return parts.filter((part): part is Extract<TextStreamPart<ToolSet>, { type: T }> => part.type === type);
}

export function textOf(asked: Pick<Asked, 'parts'>): string {
  return partsOf(asked, 'text-delta')
    .map((part) => part.text)
    .join('');
}
