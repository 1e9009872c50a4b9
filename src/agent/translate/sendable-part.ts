import type { ContentBlock, TextBlock } from '../../model/message.ts';
import { isTakenEverywhere, isTakenSomewhere, MAX_TOOL_NAME } from '../tool-name.ts';
import type { JsonValue, ToolResultItem, ToolResultOutput } from './model-message.ts';
import { isObject } from './values.ts';

/** What a prompt is for. */
export interface PromptOptions {
  /**
   * The model's `provider`: parts that only their maker understands are for it alone. Without it, they are kept
   * if they name their maker.
   */
  provider?: string | undefined;
  /** Names of the tools that the request has: the provider takes them as they are. */
  tools?: ReadonlySet<string> | undefined;
  /** Told of each block that isn't in the prompt, because no provider would take it or it belongs to another one. */
  onLeftOut?: ((leftOut: LeftOut) => void) | undefined;
}

/** A block that isn't in a prompt. */
export interface LeftOut {
  /** The message's place in the array. */
  message: number;
  /** As it is stored. */
  block: ContentBlock;
  /**
   * `blank`: without words. `unknown`: of a type that only its maker takes. `without a call`: a result that
   * nothing asked for.
   */
  reason: 'blank' | 'unknown' | 'without a call';
}

export function isBlank(text: string): boolean {
  return text.trim() === '';
}

/** What a provider signed goes back to it even where it has no text: under the names of Anthropic, OpenAI and Google. */
const SIGNATURES = ['signature', 'redactedData', 'reasoningEncryptedContent', 'thoughtSignature'];

function isSigned({ providerOptions }: ContentBlock): boolean {
  if (!isObject(providerOptions)) return false;
  return Object.values(providerOptions).some(
    (one) => isObject(one) && SIGNATURES.some((name) => typeof one[name] === 'string'),
  );
}

/** Whether a text without words is of use: its provider may have signed it. */
export function isKeptBlank(block: TextBlock, options: PromptOptions): boolean {
  return isSigned(block) && isForMaker(block, options);
}

/** Several names of one maker. */
const MAKERS: Record<string, readonly string[]> = {
  azure: ['azure', 'openai'],
  google: ['google', 'vertex'],
  'amazon-bedrock': ['bedrock', 'amazon-bedrock'],
};

/** Whether the prompt is for whoever made this block; blocks that name nobody are for nobody. */
export function isForMaker(block: ContentBlock, { provider }: PromptOptions): boolean {
  const { kind, providerOptions } = block as { kind?: unknown; providerOptions?: unknown };
  const makers = isObject(providerOptions) ? Object.keys(providerOptions) : [];
  if (typeof kind === 'string' && kind.includes('.')) makers.push(kind.slice(0, kind.indexOf('.')));
  const name = provider?.split('.', 1)[0];
  // A gateway passes on to any of them.
  if (name === undefined || name === '' || name === 'gateway') return makers.length > 0;
  return (MAKERS[name] ?? [name]).some((one) => makers.includes(one));
}

/** A tool's name as the model is shown that it called it: providers refuse a prompt with an impossible one. */
export function shownName(name: string, { tools }: PromptOptions): string {
  const possible = tools ? tools.has(name) || isTakenEverywhere(name) : isTakenSomewhere(name);
  if (possible) return name;
  return name.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, MAX_TOOL_NAME) || 'unnamed_tool';
}

/** Providers take objects only. */
export function shownInput(input: unknown): unknown {
  if (input === undefined) return {};
  return isObject(input) ? input : { input };
}

/** A blank output as JSON, which is a text with something in it. One that is damaged stays as it is. */
export function shownOutput(output: ToolResultOutput): ToolResultOutput {
  switch (output.type) {
    case 'text':
      return isBlankText(output.value) ? { ...output, type: 'json' } : output;
    case 'error-text':
      return isBlankText(output.value) ? { ...output, type: 'error-json' } : output;
    case 'execution-denied': {
      const { reason, ...rest } = output;
      return isBlankText(reason) ? rest : output;
    }
    case 'content': {
      if (!Array.isArray(output.value)) return output;
      const value = output.value.filter((item) => !isBlankItem(item));
      if (value.length === output.value.length && value.length > 0) return output;
      return value.length > 0 ? { ...output, value } : { type: 'json', value: '' as JsonValue };
    }
    default:
      return output;
  }
}

function isBlankItem(item: ToolResultItem): boolean {
  return isObject(item) && item.type === 'text' && isBlankText(item.text);
}

function isBlankText(value: unknown): boolean {
  return typeof value === 'string' && isBlank(value);
}
