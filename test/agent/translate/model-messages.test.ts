import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blockOf, fromModelMessages } from '../../../src/agent/translate/from-model-messages.ts';
import type { ModelMessage } from '../../../src/agent/translate/model-message.ts';
import { CUT_OFF, toModelMessages } from '../../../src/agent/translate/to-model-messages.ts';
import type { ContentBlock, Message } from '../../../src/model/message.ts';
import { anyConversation, plain, prompt } from './arbitraries.ts';
import { checkPrompt } from './prompt-checks.ts';

const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const answer = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });
const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const use = (id: string, name = 'read'): ContentBlock => ({ type: 'tool_use', id, name, input: {} });
const result = (id: string, content: unknown = 'ok'): ContentBlock => ({
  type: 'tool_result',
  tool_use_id: id,
  content,
});
const partial = (...content: ContentBlock[]): Message => ({
  ...answer(...content),
  metadata: { partial: true },
});

const call = (toolCallId: string, toolName = 'read') => ({
  type: 'tool-call',
  toolCallId,
  toolName,
  input: {},
});
const output = (toolCallId: string, value = 'ok', toolName = 'read') => ({
  type: 'tool-result',
  toolCallId,
  toolName,
  output: { type: 'text', value },
});
const cutOff = (toolCallId: string, toolName = 'read') => ({
  type: 'tool-result',
  toolCallId,
  toolName,
  output: { type: 'error-text', value: CUT_OFF },
});

describe('a prompt and the messages stored of it', () => {
  it('have the same meaning', () => {
    fc.assert(
      fc.property(prompt, (messages) => {
        const stored = plain(fromModelMessages(messages)) as Message[];
        expect(plain(toModelMessages(stored))).toEqual(plain(messages));
      }),
      { numRuns: 200 },
    );
  });

  it('lead from what is stored back to it', () => {
    fc.assert(
      fc.property(prompt, (messages) => {
        const stored = fromModelMessages(messages);
        expect(plain(fromModelMessages(toModelMessages(stored)))).toEqual(plain(stored));
      }),
      { numRuns: 200 },
    );
  });

  it('keep every part of an answer and of its results, with what belongs to the provider', () => {
    const anthropic = { anthropic: { signature: 'abc' } };
    const messages: ModelMessage[] = [
      { role: 'system', content: 'Be kind.', providerOptions: anthropic },
      { role: 'user', content: [{ type: 'text', text: 'Look', providerOptions: anthropic }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: '', providerOptions: { anthropic: { redactedData: 'xyz' } } },
          { type: 'text', text: 'I look.', providerOptions: { google: { thoughtSignature: 's' } } },
          { type: 'tool-call', toolCallId: 'srv', toolName: 'web_search', input: {}, providerExecuted: true },
          {
            type: 'tool-result',
            toolCallId: 'srv',
            toolName: 'web_search',
            output: { type: 'json', value: [] },
          },
          {
            type: 'tool-call',
            toolCallId: 'c',
            toolName: 'read',
            input: { a: 1 },
            providerOptions: anthropic,
          },
          { type: 'file', data: 'AAAA', mediaType: 'image/png' },
        ],
        providerOptions: anthropic,
      },
      {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: 'c',
            toolName: 'read',
            output: { type: 'error-text', value: 'no' },
            providerOptions: anthropic,
          },
        ],
      },
    ];
    const stored = fromModelMessages(messages);
    expect(stored).toEqual([
      { role: 'system', content: [text('Be kind.')], providerOptions: anthropic },
      { role: 'user', content: [{ type: 'text', text: 'Look', providerOptions: anthropic }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', reasoning: '', providerOptions: { anthropic: { redactedData: 'xyz' } } },
          { type: 'text', text: 'I look.', providerOptions: { google: { thoughtSignature: 's' } } },
          { type: 'tool_use', id: 'srv', name: 'web_search', input: {}, providerExecuted: true },
          { type: 'tool_result', tool_use_id: 'srv', content: [] },
          { type: 'tool_use', id: 'c', name: 'read', input: { a: 1 }, providerOptions: anthropic },
          { type: 'image', base64: 'AAAA', mime_type: 'image/png' },
        ],
        providerOptions: anthropic,
      },
      {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'c',
            content: 'no',
            is_error: true,
            providerOptions: anthropic,
          },
        ],
      },
    ]);
    expect(toModelMessages(stored)).toEqual(messages);
  });
});

describe('toModelMessages', () => {
  it('takes any conversation and makes a prompt that a model accepts', () => {
    fc.assert(
      fc.property(anyConversation, (messages) => {
        checkPrompt(toModelMessages(messages));
      }),
      { numRuns: 1_000 },
    );
  });

  it('begins a longer prompt as the shorter one, up to the open step', () => {
    fc.assert(
      fc.property(anyConversation, (messages) => {
        const whole = toModelMessages(messages);
        for (const [end, next] of messages.entries()) {
          if (next.role !== 'assistant') continue;
          const beginning = toModelMessages(messages.slice(0, end));
          expect(whole.slice(0, beginning.length)).toEqual(beginning);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('puts results first, and what the user said after them', () => {
    const messages = [
      answer(use('a')),
      { ...user(text('and?'), result('a')), providerOptions: { p: { a: 1 } } },
    ];
    expect(toModelMessages(messages)).toEqual([
      { role: 'assistant', content: [call('a')] },
      { role: 'tool', content: [output('a')] },
      { role: 'user', content: [text('and?')], providerOptions: { p: { a: 1 } } },
    ]);
  });

  it('names results after their calls, in order where ids repeat', () => {
    const messages = [
      answer(use('a', 'read'), use('a', 'write')),
      user(result('a', '1'), result('a', '2')),
      answer(use('a', 'list')),
      user(result('a', '3')),
    ];
    expect(toModelMessages(messages).flatMap((m) => (m.role === 'tool' ? m.content : []))).toEqual([
      output('a', '1', 'read'),
      output('a', '2', 'write'),
      output('a', '3', 'list'),
    ]);
  });

  it('tells the model about calls that have no result', () => {
    expect(
      toModelMessages([answer(use('a'), use('b', 'write')), user(result('a')), user(text('go on'))]),
    ).toEqual([
      { role: 'assistant', content: [call('a'), call('b', 'write')] },
      { role: 'tool', content: [output('a')] },
      { role: 'tool', content: [cutOff('b', 'write')] },
      { role: 'user', content: [text('go on')] },
    ]);
    expect(toModelMessages([answer(use('a')), answer(text('x'))])).toEqual([
      { role: 'assistant', content: [call('a')] },
      { role: 'tool', content: [cutOff('a')] },
      { role: 'assistant', content: [text('x')] },
    ]);
    expect(toModelMessages([answer(use('a'))])).toEqual([
      { role: 'assistant', content: [call('a')] },
      { role: 'tool', content: [cutOff('a')] },
    ]);
  });

  it('leaves out results without a call, empty text and empty messages', () => {
    const signed = { type: 'text', text: '', providerOptions: { google: { thoughtSignature: 's' } } };
    expect(
      toModelMessages([
        user(result('gone')),
        user(text('')),
        answer(text('')),
        answer(signed),
        user(text('a'), text('')),
        { role: 'system', content: [text('')] },
      ]),
    ).toEqual([
      { role: 'assistant', content: [signed] },
      { role: 'user', content: [text('a')] },
    ]);
  });

  it('gives each text of a system message a message of its own', () => {
    const cached = {
      type: 'text',
      text: 'b',
      providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } },
    };
    expect(toModelMessages([{ role: 'system', content: [text('a'), cached] }])).toEqual([
      { role: 'system', content: 'a' },
      { role: 'system', content: 'b', providerOptions: cached.providerOptions },
    ]);
  });

  it('shows an answer that was cut off only when the user spoke next', () => {
    const half = partial(text('Half an'));
    const spoken = { role: 'assistant', content: [text('Half an')] };
    expect(toModelMessages([user(text('q')), half])).toEqual([{ role: 'user', content: [text('q')] }]);
    expect(toModelMessages([user(text('q')), half, answer(text('Whole.')), user(text('thanks'))])).toEqual([
      { role: 'user', content: [text('q')] },
      { role: 'assistant', content: [text('Whole.')] },
      { role: 'user', content: [text('thanks')] },
    ]);
    expect(toModelMessages([user(text('q')), half, user(text('go on'))])).toEqual([
      { role: 'user', content: [text('q')] },
      spoken,
      { role: 'user', content: [text('go on')] },
    ]);
  });

  it('leaves a search out that was cut off with its answer', () => {
    const search = { type: 'tool_use', id: 's', name: 'web_search', input: {}, providerExecuted: true };
    expect(toModelMessages([partial(text('I look.'), search), user(text('go on'))])).toEqual([
      { role: 'assistant', content: [text('I look.')] },
      { role: 'user', content: [text('go on')] },
    ]);
  });

  it('finds the result that a provider gave in a later answer', () => {
    const run = { type: 'tool_use', id: 's', name: 'code', input: {}, providerExecuted: true };
    const messages = [answer(run, use('a')), user(result('a')), answer(result('s', 'done'), text('x'))];
    expect(toModelMessages(messages)).toEqual([
      { role: 'assistant', content: [{ ...call('s', 'code'), providerExecuted: true }, call('a')] },
      { role: 'tool', content: [output('a')] },
      { role: 'assistant', content: [output('s', 'done', 'code'), text('x')] },
    ]);
  });

  it('moves results of our own calls out of the answer', () => {
    expect(toModelMessages([answer(use('a'), result('a'), text('x'))])).toEqual([
      { role: 'assistant', content: [call('a'), text('x')] },
      { role: 'tool', content: [output('a')] },
    ]);
  });

  it('leaves calls open that wait for the SDK’s own approval', () => {
    const request = { type: 'tool-approval-request', approvalId: 'ap', toolCallId: 'a' };
    const response = { type: 'tool-approval-response', approvalId: 'ap', approved: true };
    const stored = [answer(use('a'), request), user(response)];
    const asked = { role: 'assistant', content: [call('a'), request] };
    expect(toModelMessages(stored)).toEqual([asked, { role: 'tool', content: [response] }]);
    expect(toModelMessages(stored.slice(0, 1))).toEqual([asked]);
    expect(toModelMessages([...stored, user(text('never mind'))])).toEqual([
      asked,
      { role: 'tool', content: [response] },
      { role: 'tool', content: [cutOff('a')] },
      { role: 'user', content: [text('never mind')] },
    ]);
    expect(toModelMessages([user(response)])).toEqual([]);
  });

  it.each([
    [
      'a URL',
      { type: 'image', url: 'https://a.test/b.png' },
      { type: 'image', image: 'https://a.test/b.png' },
    ],
    ['base64', { type: 'image', base64: 'AAAA' }, { type: 'image', image: 'AAAA' }],
    ['a file id', { type: 'image', file_id: 'file-1' }, { type: 'image', image: 'file-1' }],
    [
      'a known type',
      { type: 'image', base64: 'AAAA', mime_type: 'image/webp', filename: 'a.webp' },
      { type: 'file', data: 'AAAA', mediaType: 'image/webp', filename: 'a.webp' },
    ],
    ['a sound', { type: 'audio', base64: 'AAAA' }, { type: 'file', data: 'AAAA', mediaType: 'audio/*' }],
    [
      'a film',
      { type: 'video', url: 'https://a.test/' },
      { type: 'file', data: 'https://a.test/', mediaType: 'video/*' },
    ],
    [
      'a file',
      { type: 'file', base64: 'AAAA' },
      { type: 'file', data: 'AAAA', mediaType: 'application/octet-stream' },
    ],
  ])('shows media: %s', (_, block, part) => {
    expect(toModelMessages([user(block)])).toEqual([{ role: 'user', content: [part] }]);
  });

  it('knows the type of an answer’s image', () => {
    expect(toModelMessages([answer({ type: 'image', base64: '/9j/4AAQ' })])).toEqual([
      { role: 'assistant', content: [{ type: 'file', data: '/9j/4AAQ', mediaType: 'image/jpeg' }] },
    ]);
  });
});

describe('blockOf', () => {
  it.each([
    ['bytes', new Uint8Array([1, 2, 3]), { base64: 'AQID' }],
    ['a part of a buffer', Buffer.from([0, 1, 2, 3]).subarray(1), { base64: 'AQID' }],
    ['an ArrayBuffer', new Uint8Array([1, 2, 3]).buffer, { base64: 'AQID' }],
    ['base64', 'AQID', { base64: 'AQID' }],
    ['a URL', new URL('https://a.test/b'), { url: 'https://a.test/b' }],
    ['a URL as text', 'https://a.test/b', { url: 'https://a.test/b' }],
    ['a data URL', 'data:text/plain;base64,QQ==', { url: 'data:text/plain;base64,QQ==' }],
    ['a file id', 'file-123', { file_id: 'file-123' }],
    ['tagged data', { type: 'data', data: new Uint8Array([1, 2, 3]) }, { base64: 'AQID' }],
    ['a tagged URL', { type: 'url', url: new URL('https://a.test/b') }, { url: 'https://a.test/b' }],
  ])('stores %s', (_, data, source) => {
    const part = { type: 'file', data, mediaType: 'application/pdf', filename: 'a.pdf' };
    expect(blockOf(part)).toEqual({
      type: 'file',
      ...source,
      mime_type: 'application/pdf',
      filename: 'a.pdf',
    });
    expect(blockOf({ type: 'image', image: data, mediaType: undefined } as { type: string })).toEqual({
      type: 'image',
      ...source,
    });
  });

  it.each([
    [
      {
        type: 'file',
        data: { type: 'reference', reference: { openai: 'file-1' } },
        mediaType: 'application/pdf',
      },
    ],
    [{ type: 'image', image: { openai: 'file-1' } }],
    [{ type: 'custom', kind: 'openai.compaction', providerOptions: { openai: { itemId: '1' } } }],
  ])('keeps whole what has no block of its own: %j', (part) => {
    expect(blockOf(part)).toEqual(part);
    expect(toModelMessages([user(text('a'), part)])).toEqual([{ role: 'user', content: [text('a'), part] }]);
  });

  it('stores bytes of unknown parts as text', () => {
    const part = {
      type: 'reasoning-file',
      data: new Uint8Array([1, 2, 3]),
      mediaType: 'image/png',
      more: undefined,
    };
    expect(blockOf(part)).toStrictEqual({ type: 'reasoning-file', data: 'AQID', mediaType: 'image/png' });
  });
});

describe('fromModelMessages', () => {
  it('takes text for content', () => {
    expect(fromModelMessages([{ role: 'user', content: 'hi' }])).toEqual([user(text('hi'))]);
  });

  it('refuses a role that it does not know', () => {
    const message = { role: 'narrator', content: 'x' } as unknown as ModelMessage;
    expect(() => fromModelMessages([message])).toThrow(/messages\[0\]\.role/);
  });
});
