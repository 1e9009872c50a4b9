import { checkObject } from '../model/ids.ts';
import { checkJson } from '../model/json.ts';
import type { Sdk } from './sdk.ts';
import type { ModelMessage, ToolResultOutput } from './translate/model-message.ts';
import { contentOf, outputOf } from './translate/tool-output.ts';
import { isObject } from './translate/values.ts';

const KNOWN = ['text', 'image', 'file', 'reasoning', 'tool-call', 'tool-result'];
/** Not in every version of the SDK. */
const NEWER = ['custom', 'reasoning-file', 'tool-approval-request', 'tool-approval-response'];

const known = new WeakMap<Sdk, Set<string>>();

/**
 * A prompt without what the SDK at hand doesn't know: one such part or output, from an import, from damage or from a
 * newer version, would make it refuse the conversation for ever. The store keeps it. A call needs a result: of one
 * with an unknown output, the model is told that it can't be shown.
 */
export function sendable(sdk: Sdk, messages: ModelMessage[]): ModelMessage[] {
  const types = knownTypes(sdk);
  const isKnown = (part: SentPart) => types.has(part.type) && !hasUnknownOutput(sdk, part);
  if (messages.every(({ content }) => typeof content === 'string' || content.every(isKnown))) return messages;
  return messages.flatMap((message): ModelMessage[] => {
    if (typeof message.content === 'string') return [message];
    const content = (message.content as SentPart[])
      .filter(({ type }) => types.has(type))
      .map((part) => (hasUnknownOutput(sdk, part) ? withoutOutput(sdk, part) : part));
    return content.length === 0 ? [] : [{ ...message, content } as ModelMessage];
  });
}

interface SentPart {
  type: string;
  output?: unknown;
}

function hasUnknownOutput(sdk: Sdk, { type, output }: SentPart): boolean {
  return type === 'tool-result' && !isPlainOutput(output) && !isKnownOutput(sdk, output as ToolResultOutput);
}

/** Nearly every output is a kind and a value, and prompts have many: those aren't shown to the SDK's schema. */
function isPlainOutput(output: unknown): boolean {
  if (!isObject(output) || Object.keys(output).length !== 2) return false;
  const { type, value } = output;
  if (type === 'json' || type === 'error-json') return value !== undefined;
  return (type === 'text' || type === 'error-text') && typeof value === 'string';
}

/** Of an output of several items, those are kept that the SDK knows. */
function withoutOutput(sdk: Sdk, part: SentPart): SentPart {
  const { type, value } = (isObject(part.output) ? part.output : {}) as { type?: unknown; value?: unknown };
  if (type === 'content' && Array.isArray(value)) {
    const items = value.filter((item) => isKnownOutput(sdk, contentWith(item)));
    if (items.length > 0) return { ...part, output: { type, value: items } };
  }
  return { ...part, output: { type: 'error-text', value: UNSHOWN } };
}

const UNSHOWN = "The call has an output, but of a kind that can't be shown.";

function contentWith(item: unknown): ToolResultOutput {
  return { type: 'content', value: [item] } as ToolResultOutput;
}

/**
 * What a tool's own code says that the model is to see, if it can be stored and then sent: one output that the SDK
 * doesn't know would make it refuse the conversation for ever. Throws otherwise.
 */
export function checkedOutput(sdk: Sdk, output: unknown): ToolResultOutput {
  checkJson(output, 'output');
  checkObject('output', output);
  const { type } = output as { type?: unknown };
  const sent = typeof type === 'string' ? outputOf(contentOf({ ...output, type })) : undefined;
  if (sent !== undefined && isKnownOutput(sdk, sent)) return output as ToolResultOutput;
  throw new Error('it is no output of a tool that the package "ai" knows.');
}

function isKnownOutput({ modelMessageSchema }: Sdk, output: ToolResultOutput): boolean {
  const part = { type: 'tool-result', toolCallId: '', toolName: '', output };
  return modelMessageSchema.safeParse({ role: 'tool', content: [part] }).success;
}

function knownTypes(sdk: Sdk): Set<string> {
  let types = known.get(sdk);
  if (types === undefined) {
    types = new Set([...KNOWN, ...NEWER.filter((type) => accepts(sdk, type))]);
    known.set(sdk, types);
  }
  return types;
}

/** Asks the SDK's own schema, with a part that has every field that any of the kinds needs. */
function accepts({ modelMessageSchema }: Sdk, type: string): boolean {
  const part = {
    type,
    kind: 'a.b',
    data: '',
    mediaType: 'text/plain',
    approvalId: 'a',
    toolCallId: 'a',
    approved: true,
  };
  return ['assistant', 'tool'].some(
    (role) => modelMessageSchema.safeParse({ role, content: [part] }).success,
  );
}
