import type { LanguageModelV3Message } from '@ai-sdk/provider';
import { type Script, scriptedModel } from '../../examples/support/scripted-model.ts';
import { startProvider, type TestProvider } from '../agent/provider/provider.ts';

interface WireBlock {
  type: string;
  id: string;
  text: string;
  name: string;
  input: Record<string, unknown>;
  tool_use_id: string;
  content: string | { text: string }[];
  is_error?: boolean;
}

interface WireMessage {
  role: 'user' | 'assistant';
  content: WireBlock[];
}

/** A server in Anthropic's wire format that answers as the script does: what reaches it came over the wire. */
export function startScriptedProvider(script: Script): Promise<TestProvider> {
  const model = scriptedModel(script);
  return startProvider('anthropic', async ({ json }) => {
    const prompt = (json.messages as WireMessage[]).flatMap(readMessage);
    const { content } = await model.doGenerate({ prompt });
    const pieces = content.map((part) => {
      if (part.type === 'text') return { text: part.text };
      if (part.type !== 'tool-call') throw new Error(`The script answered with ${part.type}.`);
      return { call: part.toolName, id: part.toolCallId, input: JSON.parse(part.input) };
    });
    return { pieces, chunkSize: 40 };
  });
}

/** Results of calls and the next input lie in one message on the wire. */
function readMessage({ role, content }: WireMessage): LanguageModelV3Message[] {
  if (role === 'assistant') {
    const parts = content.map((block) =>
      block.type === 'text'
        ? { type: 'text' as const, text: block.text }
        : {
            type: 'tool-call' as const,
            toolCallId: block.id,
            toolName: block.name,
            input: block.input,
          },
    );
    return [{ role, content: parts }];
  }
  return content.map((block): LanguageModelV3Message => {
    if (block.type === 'text') return { role: 'user', content: [{ type: 'text', text: block.text }] };
    const value =
      typeof block.content === 'string' ? block.content : block.content.map(({ text }) => text).join('');
    const output = { type: block.is_error ? ('error-text' as const) : ('text' as const), value };
    const toolCallId = block.tool_use_id;
    return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName: '', output }] };
  });
}
