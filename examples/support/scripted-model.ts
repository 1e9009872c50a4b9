import { setTimeout as pause } from 'node:timers/promises';
import type {
  LanguageModelV3,
  LanguageModelV3Content,
  LanguageModelV3Prompt,
  LanguageModelV3StreamPart,
  LanguageModelV3ToolResultPart,
  LanguageModelV3Usage,
} from '@ai-sdk/provider';

/** A call that the model asked for, and what came of it. */
export interface DoneCall {
  tool: string;
  input: Record<string, unknown>;
  /** What the model was shown of the result: text as it is, anything else as JSON. */
  result: string;
  /** The call failed, was denied, or was cut off. */
  failed: boolean;
}

/** What a script sees of the prompt: all that it may decide by. */
export interface Situation {
  /** What the user said last. */
  input: string;
  /** The calls since then, in their order. */
  done: DoneCall[];
  /** The system prompt. */
  system: string;
  prompt: LanguageModelV3Prompt;
}

export interface ScriptedAnswer {
  text?: string;
  calls?: { tool: string; input: Record<string, unknown> }[];
}

/** The next answer, for what was said and done. The same situation must get the same answer, in any process. */
export type Script = (situation: Situation) => ScriptedAnswer;

/**
 * A language model that follows a script: for examples and tests that need no key. It streams its answers
 * piece by piece, and knows nothing but the prompt, so that it goes on in another process where it stopped.
 */
export function scriptedModel(script: Script, { pauseMs = 10 } = {}): LanguageModelV3 {
  const answer = (prompt: LanguageModelV3Prompt) => {
    const content = contentOf(script(situationOf(prompt)), callsIn(prompt).length);
    return {
      content,
      usage: usageOf(JSON.stringify(prompt), JSON.stringify(content)),
      finishReason: {
        unified: content.some(({ type }) => type === 'tool-call')
          ? ('tool-calls' as const)
          : ('stop' as const),
        raw: undefined,
      },
    };
  };
  return {
    specificationVersion: 'v3',
    provider: 'scripted',
    modelId: 'scripted',
    supportedUrls: {},
    doGenerate: async ({ prompt }) => ({ ...answer(prompt), warnings: [] }),
    doStream: async ({ prompt, abortSignal }) => {
      const { content, ...end } = answer(prompt);
      async function* parts(): AsyncGenerator<LanguageModelV3StreamPart> {
        yield { type: 'stream-start', warnings: [] };
        for (const [i, part] of content.entries()) {
          for (const piece of piecesOf(part, String(i))) {
            if (piece.type.endsWith('-delta')) await pause(pauseMs, undefined, { signal: abortSignal });
            yield piece;
          }
        }
        yield { type: 'finish', ...end };
      }
      return { stream: ReadableStream.from(parts()) };
    },
  };
}

function situationOf(prompt: LanguageModelV3Prompt): Situation {
  const at = prompt.findLastIndex(({ role }) => role === 'user');
  const last = prompt[at];
  const [first] = prompt;
  return {
    input: last?.role === 'user' ? last.content.map((p) => (p.type === 'text' ? p.text : '')).join('') : '',
    done: callsIn(prompt.slice(at + 1)),
    system: first?.role === 'system' ? first.content : '',
    prompt,
  };
}

function callsIn(messages: LanguageModelV3Prompt): DoneCall[] {
  const results = new Map<string, LanguageModelV3ToolResultPart>();
  for (const { role, content } of messages) {
    if (role !== 'tool') continue;
    for (const part of content) if (part.type === 'tool-result') results.set(part.toolCallId, part);
  }
  return messages.flatMap(({ role, content }) =>
    role === 'assistant'
      ? content.flatMap((part) => {
          if (part.type !== 'tool-call') return [];
          const output = results.get(part.toolCallId)?.output;
          return [
            {
              tool: part.toolName,
              input: part.input as DoneCall['input'],
              result: textOf(output),
              failed: output?.type.startsWith('error') === true || output?.type === 'execution-denied',
            },
          ];
        })
      : [],
  );
}

function textOf(output: LanguageModelV3ToolResultPart['output'] | undefined): string {
  if (output === undefined) return '';
  if (output.type === 'execution-denied') return output.reason ?? 'denied';
  return typeof output.value === 'string' ? output.value : JSON.stringify(output.value);
}

/** Calls are numbered through the conversation, which gives each an id of its own, and the same one each time. */
function contentOf({ text = '', calls = [] }: ScriptedAnswer, callsBefore: number): LanguageModelV3Content[] {
  return [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...calls.map(({ tool, input }, i) => ({
      type: 'tool-call' as const,
      toolCallId: `call_${callsBefore + i + 1}`,
      toolName: tool,
      input: JSON.stringify(input),
    })),
  ];
}

/** Text arrives word by word, a call's input some letters at a time. */
function piecesOf(part: LanguageModelV3Content, textId: string): LanguageModelV3StreamPart[] {
  if (part.type === 'text') {
    const words = part.text.match(/\s*\S+\s*$|\s*\S+/g) ?? [part.text];
    return [
      { type: 'text-start', id: textId },
      ...words.map((delta) => ({ type: 'text-delta' as const, id: textId, delta })),
      { type: 'text-end', id: textId },
    ];
  }
  if (part.type !== 'tool-call') return [];
  const { toolCallId: id, toolName } = part;
  const letters = part.input.match(/.{1,16}/gs) ?? [];
  return [
    { type: 'tool-input-start', id, toolName },
    ...letters.map((delta) => ({ type: 'tool-input-delta' as const, id, delta })),
    { type: 'tool-input-end', id },
    part,
  ];
}

/** Nobody counts tokens here: four letters pass for one, which is about what real models make of English. */
function usageOf(prompt: string, answer: string): LanguageModelV3Usage {
  const [input, output] = [prompt, answer].map((text) => Math.ceil(text.length / 4));
  return {
    inputTokens: { total: input, noCache: input, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: output, text: output, reasoning: 0 },
  };
}
