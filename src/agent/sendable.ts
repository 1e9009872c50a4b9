import { checkObject } from '../model/ids.ts';
import { checkJson } from '../model/json.ts';
import type { Sdk } from './sdk.ts';
import type { ModelMessage, ToolResultOutput } from './translate/model-message.ts';
import { contentOf, outputOf } from './translate/tool-output.ts';

const KNOWN = ['text', 'image', 'file', 'reasoning', 'tool-call', 'tool-result'];
/** Not in every version of the SDK. */
const NEWER = ['custom', 'reasoning-file', 'tool-approval-request', 'tool-approval-response'];

const known = new WeakMap<Sdk, Set<string>>();

/**
 * A prompt without the parts that the SDK at hand doesn't know: one of them, from an import or from a newer
 * version, would make it refuse the conversation for ever. The store keeps them.
 */
export function sendable(sdk: Sdk, messages: ModelMessage[]): ModelMessage[] {
  const types = knownTypes(sdk);
  const isKnown = (part: { type: string }) => types.has(part.type);
  if (messages.every(({ content }) => typeof content === 'string' || content.every(isKnown))) return messages;
  return messages.flatMap((message): ModelMessage[] => {
    if (typeof message.content === 'string') return [message];
    const content = (message.content as { type: string }[]).filter(isKnown);
    return content.length === 0 ? [] : [{ ...message, content } as ModelMessage];
  });
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
