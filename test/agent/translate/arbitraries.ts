import fc from 'fast-check';
import type { Message } from '../../../src/model/message.ts';

/** A value as JSON makes it of it: without what is `undefined`. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const providerOptions = fc.dictionary(
  fc.constantFrom('anthropic', 'openai'),
  fc.dictionary(fc.string(), fc.jsonValue()),
  {
    maxKeys: 2,
  },
);

/** Records some of whose keys may be missing. */
function record<T, K extends keyof T>(
  model: { [P in keyof T]: fc.Arbitrary<T[P]> },
  required: readonly K[],
): fc.Arbitrary<Partial<T> & Pick<T, K>> {
  return fc.record(model, { requiredKeys: [...required] }) as fc.Arbitrary<Partial<T> & Pick<T, K>>;
}

/** Providers refuse blank ones. */
const text = fc.string({ minLength: 1 }).filter((value) => value.trim() !== '');
const base64 = fc
  .uint8Array({ minLength: 1, maxLength: 30 })
  .map((bytes) => Buffer.from(bytes).toString('base64'));
const source = fc.oneof(
  base64,
  fc.webUrl().map((url) => new URL(url).href),
  fc.constantFrom('file-abc', 'file_123', 'data:text/plain;base64,QQ=='),
);

export const toolItem = fc.oneof(
  record({ type: fc.constant('text'), text: fc.string(), providerOptions }, ['type', 'text']),
  record(
    { type: fc.constant('image-data'), data: base64, mediaType: fc.constant('image/png'), providerOptions },
    ['type', 'data', 'mediaType'],
  ),
  record({ type: fc.constant('file-url'), url: fc.webUrl(), mediaType: fc.constant('text/plain') }, [
    'type',
    'url',
  ]),
  record({ type: fc.constant('file-id'), fileId: fc.constantFrom('file-1', { openai: 'file-1' }) }, [
    'type',
    'fileId',
  ]),
);

const outputType = fc.constantFrom(
  'text',
  'json',
  'error-text',
  'error-json',
  'content',
  'execution-denied',
  'output',
  'later',
);

/** JSON that a tool may return, lookalikes of outputs and items among it. */
export const content: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.jsonValue({ maxDepth: 2 }),
    fc.string(),
    fc.array(fc.oneof(toolItem, tie('any')), { maxLength: 3 }),
    record({ type: outputType, value: tie('any'), providerOptions }, ['type']),
  ),
})).any;

/** What SDKs produce, and what they don't. */
export const anyOutput: fc.Arbitrary<{ type: string }> = fc.oneof(
  record({ type: outputType, value: content, providerOptions, reason: fc.string() }, ['type']),
  fc.record({ type: fc.constant('content'), value: fc.array(toolItem) }),
  fc.record({ type: fc.constantFrom('json', 'error-json'), value: content }),
);

const sentItem = toolItem.filter((item) => item.type !== 'text' || item.text?.trim() !== '');
const output = fc.oneof(
  record({ type: fc.constantFrom('text', 'error-text'), value: text, providerOptions }, ['type', 'value']),
  record({ type: fc.constantFrom('json', 'error-json'), value: content, providerOptions }, ['type', 'value']),
  record({ type: fc.constant('content'), value: fc.array(sentItem, { minLength: 1 }), providerOptions }, [
    'type',
    'value',
  ]),
  record({ type: fc.constant('execution-denied'), reason: text }, ['type']),
);

const textPart = record({ type: fc.constant('text'), text, providerOptions }, ['type', 'text']);
const filePart = record(
  {
    type: fc.constant('file'),
    data: source,
    mediaType: fc.constantFrom('image/png', 'audio/wav', 'application/pdf', 'video/mp4', 'image'),
    filename: text,
    providerOptions,
  },
  ['type', 'data', 'mediaType'],
);
const imagePart = record({ type: fc.constant('image'), image: source, providerOptions }, ['type', 'image']);
const reasoningPart = record({ type: fc.constant('reasoning'), text, providerOptions }, ['type', 'text']);
const customPart = record(
  { type: fc.constant('custom'), kind: fc.constant('openai.thing'), providerOptions },
  ['type', 'kind'],
);

const userMessage = record(
  {
    role: fc.constant('user'),
    content: fc.array(fc.oneof(textPart, filePart, imagePart), { minLength: 1, maxLength: 3 }),
    providerOptions,
  },
  ['role', 'content'],
);
const systemMessage = record({ role: fc.constant('system'), content: text, providerOptions }, [
  'role',
  'content',
]);

const call = record(
  {
    type: fc.constant('tool-call'),
    // Few ids: they repeat between steps, and within one.
    toolCallId: fc.constantFrom('call_1', 'call_2', 'call_3'),
    toolName: fc.constantFrom('read', 'write'),
    input: fc.dictionary(fc.string(), fc.jsonValue()),
    providerOptions,
  },
  ['type', 'toolCallId', 'toolName', 'input'],
);

/** One call of a provider's own, with its result in the same answer. */
const search = fc
  .tuple(fc.nat(), output, fc.option(providerOptions, { nil: undefined }))
  .map(([n, result, options]) => {
    const name = { toolCallId: `srv_${n}`, toolName: 'web_search' };
    const own = options === undefined ? {} : { providerOptions: options };
    return [
      { type: 'tool-call', ...name, input: { query: 'a' }, providerExecuted: true, ...own },
      { type: 'tool-result', ...name, output: result },
    ];
  });

/** An answer and the results of its calls, in their order, in one or two messages. */
const step = fc
  .record({
    parts: fc.array(
      fc.oneof(textPart, reasoningPart, filePart, customPart).map((part) => [part]),
      { maxLength: 3 },
    ),
    searches: fc.array(search, { maxLength: 1 }),
    calls: fc.array(
      call.map((part) => [part]),
      { maxLength: 3 },
    ),
    outputs: fc.array(output, { minLength: 3, maxLength: 3 }),
    split: fc.boolean(),
    options: fc.option(providerOptions, { nil: undefined }),
  })
  .chain(({ parts, searches, calls, ...rest }) =>
    fc
      .shuffledSubarray([...parts, ...searches, ...calls], {
        minLength: parts.length + searches.length + calls.length,
      })
      .map((blocks) => ({ parts: blocks.flat() as { type: string }[], ...rest })),
  )
  .map(({ parts, outputs, split, options }) => {
    const results = parts
      .filter(
        (part): part is { type: 'tool-call'; toolCallId: string; toolName: string } =>
          part.type === 'tool-call' && !('providerExecuted' in part),
      )
      .map(({ toolCallId, toolName }, i) => ({
        type: 'tool-result',
        toolCallId,
        toolName,
        output: outputs[i],
      }));
    const cut = split ? Math.ceil(results.length / 2) : results.length;
    const own = options === undefined ? {} : { providerOptions: options };
    return [
      { role: 'assistant', content: parts, ...own },
      { role: 'tool', content: results.slice(0, cut), ...own },
      { role: 'tool', content: results.slice(cut) },
    ].filter((message) => message.content.length > 0);
  });

export interface PromptMessage {
  role: 'system' | 'user' | 'assistant' | 'tool';
  content: string | { type: string }[];
}

/** Prompts as an SDK makes them. */
export const prompt = fc
  .array(
    fc.oneof(
      userMessage.map((m) => [m]),
      step,
      systemMessage.map((m) => [m]),
    ),
    { maxLength: 6 },
  )
  .map((steps) => steps.flat() as PromptMessage[]);

/** A block of any kind, sane or not, in the form of the store. */
const block = fc.oneof(
  record({ type: fc.constant('text'), text: fc.constantFrom('', 'a', 'b'), providerOptions }, [
    'type',
    'text',
  ]),
  record({ type: fc.constant('reasoning'), reasoning: fc.constantFrom('', 'hm'), providerOptions }, [
    'type',
    'reasoning',
  ]),
  record(
    {
      type: fc.constant('tool_use'),
      id: fc.constantFrom('c1', 'c2'),
      name: fc.constantFrom('read', 'write'),
      input: fc.constant({}),
      providerExecuted: fc.boolean(),
    },
    ['type', 'id', 'name', 'input'],
  ),
  record(
    {
      type: fc.constant('tool_result'),
      tool_use_id: fc.constantFrom('c1', 'c2'),
      content,
      is_error: fc.boolean(),
    },
    ['type', 'tool_use_id', 'content'],
  ),
  record(
    {
      type: fc.constantFrom('image', 'audio', 'video', 'file'),
      url: fc.webUrl(),
      base64,
      file_id: text,
      mime_type: fc.constant('image/png'),
    },
    ['type', 'base64'],
  ),
);

/** Conversations that others wrote: anything may miss its counterpart. */
export const anyConversation: fc.Arbitrary<Message[]> = fc.array(
  record(
    {
      role: fc.constantFrom('user', 'assistant', 'assistant', 'system'),
      content: fc.array(block, { maxLength: 4 }),
      metadata: fc.record({ partial: fc.boolean() }),
    },
    ['role', 'content'],
  ) as fc.Arbitrary<Message>,
  { maxLength: 8 },
);
