import { convertToModelMessages, validateUIMessages } from 'ai';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromModelMessages } from '../../../src/agent/translate/from-model-messages.ts';
import { CUT_OFF, toModelMessages } from '../../../src/agent/translate/to-model-messages.ts';
import type { UIMessage } from '../../../src/agent/translate/ui-message.ts';
import { toUIMessages } from '../../../src/agent/translate/ui-messages.ts';
import type { ContentBlock, Message } from '../../../src/model/message.ts';
import type { ToolCallApproval, ToolCallRecord, ToolCallState } from '../../../src/model/tool-call.ts';
import { anyConversation, plain, prompt } from './arbitraries.ts';

const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const answer = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });
const text = (value: string): ContentBlock => ({ type: 'text', text: value });
const use = (id: string, name = 'read'): ContentBlock => ({
  type: 'tool_use',
  id,
  name,
  input: { path: 'a' },
});
const result = (id: string, content: unknown): ContentBlock => ({
  type: 'tool_result',
  tool_use_id: id,
  content,
});

function record(state: ToolCallState, more: Partial<ToolCallRecord> = {}): ToolCallRecord {
  const at = new Date(0);
  const approval: ToolCallApproval = { required: false };
  return {
    toolCallId: 'a',
    toolName: 'read',
    input: { path: 'a' },
    state,
    isError: state === 'failed',
    callSeq: 7,
    messageSeq: 1,
    approval,
    createdAt: at,
    updatedAt: at,
    auditTrail: [],
    ...more,
  };
}

/** The tool part of a conversation whose only call has this record. */
function toolPart(call: ToolCallRecord | undefined, ...results: Message[]): unknown {
  const messages = [user(text('q')), answer(use('a')), ...results];
  const [, shown] = toUIMessages(messages, { toolCalls: call === undefined ? [] : [call] });
  return shown?.parts.find((part) => part.type === 'tool-read');
}

describe('toUIMessages', () => {
  it('shows an answer with its steps and their results as one message', () => {
    const anthropic = { anthropic: { signature: 'abc' } };
    const messages = [
      { role: 'system' as const, content: [text('Be kind.')] },
      user(text('Read it'), { type: 'image', base64: 'AAAA', mime_type: 'image/png', filename: 'a.png' }),
      answer({ type: 'reasoning', reasoning: 'hm', providerOptions: anthropic }, text('I read.'), use('a')),
      user(result('a', 'hello')),
      answer(text('It says hello.')),
      user(text('Thanks')),
      answer(text('Welcome')),
    ];
    expect(toUIMessages(messages)).toEqual([
      { id: 'msg-0', role: 'system', parts: [{ type: 'text', text: 'Be kind.', state: 'done' }] },
      {
        id: 'msg-1',
        role: 'user',
        parts: [
          { type: 'text', text: 'Read it', state: 'done' },
          { type: 'file', url: 'data:image/png;base64,AAAA', mediaType: 'image/png', filename: 'a.png' },
        ],
      },
      {
        id: 'msg-2',
        role: 'assistant',
        parts: [
          { type: 'step-start' },
          { type: 'reasoning', text: 'hm', state: 'done', providerMetadata: anthropic },
          { type: 'text', text: 'I read.', state: 'done' },
          {
            type: 'tool-read',
            toolCallId: 'a',
            state: 'output-available',
            input: { path: 'a' },
            output: 'hello',
          },
          { type: 'step-start' },
          { type: 'text', text: 'It says hello.', state: 'done' },
        ],
      },
      { id: 'msg-5', role: 'user', parts: [{ type: 'text', text: 'Thanks', state: 'done' }] },
      {
        id: 'msg-6',
        role: 'assistant',
        parts: [{ type: 'step-start' }, { type: 'text', text: 'Welcome', state: 'done' }],
      },
    ]);
  });

  it.each([
    ['pending', {}, { state: 'input-available' }],
    ['executing', {}, { state: 'input-available' }],
    [
      'approval_required',
      { approval: { required: true } },
      { state: 'approval-requested', approval: { id: '7' } },
    ],
    [
      'approved',
      { approval: { required: true, decision: 'allow', note: 'fine' } },
      { state: 'approval-responded', approval: { id: '7', approved: true, reason: 'fine' } },
    ],
    [
      'denied',
      { approval: { required: true, decision: 'deny', note: 'no' } },
      { state: 'output-denied', approval: { id: '7', approved: false, reason: 'no' } },
    ],
    ['completed', { output: { n: 1 } }, { state: 'output-available', output: { n: 1 } }],
    ['failed', { error: 'No such file' }, { state: 'output-error', errorText: 'No such file' }],
    ['sealed', {}, { state: 'output-error', errorText: CUT_OFF }],
  ] as const)('shows a call that is %s', (state, more, expected) => {
    expect(toolPart(record(state, more))).toEqual({
      type: 'tool-read',
      toolCallId: 'a',
      input: { path: 'a' },
      ...expected,
    });
  });

  it('shows what the tool gave, or else what the model saw of it', () => {
    const results = user(result('a', 'three files'));
    expect(toolPart(undefined, results)).toMatchObject({ state: 'output-available', output: 'three files' });
    expect(toolPart(record('completed', { output: ['x', 'y', 'z'] }), results)).toMatchObject({
      state: 'output-available',
      output: ['x', 'y', 'z'],
    });
  });

  it('shows failures and denials by their results alone', () => {
    expect(toolPart(undefined, user({ ...result('a', 'broken'), is_error: true }))).toMatchObject({
      state: 'output-error',
      errorText: 'broken',
    });
    expect(toolPart(undefined, user({ ...result('a', { code: 1 }), is_error: true }))).toMatchObject({
      state: 'output-error',
      errorText: '{"code":1}',
    });
    expect(toolPart(undefined, user(result('a', { type: 'execution-denied', reason: 'no' })))).toMatchObject({
      state: 'output-denied',
      approval: { id: 'a', approved: false, reason: 'no' },
    });
  });

  it('says which approval a finished call had', () => {
    const approval: ToolCallApproval = { required: true, decision: 'allow', decidedBy: 'ann' };
    expect(toolPart(record('completed', { output: 1, approval }), user(result('a', 1)))).toMatchObject({
      state: 'output-available',
      approval: { id: '7', approved: true },
    });
  });

  it('shows a call as open only as long as the conversation waits for it', () => {
    expect(toolPart(undefined)).toMatchObject({ state: 'input-available' });
    expect(toolPart(undefined, user(text('go on')))).toMatchObject({
      state: 'output-error',
      errorText: CUT_OFF,
    });
    expect(toolPart(undefined, answer(text('x')))).toMatchObject({
      state: 'output-error',
      errorText: CUT_OFF,
    });
  });

  it('knows the approvals that the SDK itself stored', () => {
    const request = { type: 'tool-approval-request', approvalId: 'ap', toolCallId: 'a' };
    const response = { type: 'tool-approval-response', approvalId: 'ap', approved: false, reason: 'no' };
    const show = (...rest: Message[]) =>
      toUIMessages([answer(use('a'), request), ...rest]).flatMap((message) => message.parts.slice(1));
    expect(show()).toMatchObject([{ state: 'approval-requested', approval: { id: 'ap' } }]);
    expect(show(user({ ...response, approved: true }))).toMatchObject([
      { state: 'approval-responded', approval: { id: 'ap', approved: true, reason: 'no' } },
    ]);
    expect(show(user(response))).toMatchObject([
      { state: 'output-denied', approval: { id: 'ap', approved: false, reason: 'no' } },
    ]);
  });

  it('finds each call’s own record and result where ids repeat', () => {
    const messages = [
      user(text('q')),
      answer(use('a', 'read'), use('a', 'write')),
      user(result('a', 1), result('a', 2)),
      answer(use('a', 'list')),
    ];
    const toolCalls = [
      record('executing', { callSeq: 9, messageSeq: 3, toolName: 'list' }),
      record('completed', { callSeq: 8, output: 'second' }),
      record('completed', { callSeq: 7, output: 'first' }),
    ];
    const shown = toUIMessages(messages, { toolCalls })[1]?.parts;
    expect(shown).toMatchObject([
      { type: 'step-start' },
      { type: 'tool-read', output: 'first' },
      { type: 'tool-write', output: 'second' },
      { type: 'step-start' },
      { type: 'tool-list', state: 'input-available' },
    ]);
  });

  it('takes a part of a conversation, and ids of the caller’s', () => {
    const toolCalls = [record('executing'), record('approval_required', { messageSeq: 11, callSeq: 12 })];
    const shown = toUIMessages([user(text('q')), answer(use('a'))], {
      toolCalls,
      firstSeq: 10,
      idOf: (seq) => `chat-1:${seq}`,
    });
    expect(shown).toMatchObject([
      { id: 'chat-1:10' },
      { id: 'chat-1:11', parts: [{}, { state: 'approval-requested', approval: { id: '12' } }] },
    ]);
  });

  it('keeps a search with its result, also one that came a step later', () => {
    const search = { ...use('s', 'web_search'), providerExecuted: true, providerOptions: { p: { a: 1 } } };
    const found = { ...result('s', [{ url: 'https://a.test/' }]), providerOptions: { p: { b: 2 } } };
    const expected = {
      type: 'tool-web_search',
      toolCallId: 's',
      state: 'output-available',
      providerExecuted: true,
      output: [{ url: 'https://a.test/' }],
      callProviderMetadata: { p: { a: 1 } },
      resultProviderMetadata: { p: { b: 2 } },
    };
    expect(toUIMessages([answer(search, found)])[0]?.parts).toMatchObject([{}, expected]);
    expect(toUIMessages([answer(search), answer(found, text('x'))])[0]?.parts).toMatchObject([
      {},
      expected,
      {},
      {},
    ]);
  });

  it('shows unknown blocks as data, and nothing of empty messages', () => {
    const refusal = { type: 'refusal', refusal: 'I won’t.' };
    expect(toUIMessages([user(text('')), answer(text('')), answer(refusal)])).toEqual([
      {
        id: 'msg-2',
        role: 'assistant',
        parts: [{ type: 'step-start' }, { type: 'data-refusal', data: refusal }],
      },
    ]);
  });
});

describe('the model SDK', () => {
  it('accepts the UI messages of any conversation', async () => {
    await fc.assert(
      fc.asyncProperty(anyConversation, async (messages) => {
        const shown = plain(toUIMessages(messages)) as UIMessage[];
        if (shown.length > 0) await validateUIMessages({ messages: shown });
        await convertToModelMessages(shown);
      }),
      { numRuns: 300 },
    );
  });

  it('makes of UI messages the prompt that the store makes', async () => {
    await fc.assert(
      fc.asyncProperty(prompt, async (messages) => {
        const stored = fromModelMessages(messages);
        const converted = await convertToModelMessages(toUIMessages(stored));
        expect(gist(converted)).toEqual(gist(toModelMessages(stored)));
      }),
      { numRuns: 200 },
    );
  });

  it('makes the very same prompt of plain conversations', async () => {
    const stored = [
      user(text('Read it')),
      answer({ type: 'reasoning', reasoning: 'hm', providerOptions: { p: { a: 1 } } }, use('a'), use('b')),
      user(result('a', 'hello'), { ...result('b', 'broken'), is_error: true }),
      answer(text('Done.')),
    ];
    expect(plain(await convertToModelMessages(toUIMessages(stored)))).toEqual(plain(toModelMessages(stored)));
  });
});

/** Who says and calls what in a prompt; the SDK writes outputs, approvals and denied searches in its own way. */
function gist(messages: readonly { role: string; content: string | readonly object[] }[]): unknown[] {
  return messages.flatMap(({ role, content }) => {
    if (typeof content === 'string') return [[role, 'text', content]];
    return content.flatMap((part) => {
      const { type, text: said, toolCallId, toolName, input } = part as Record<string, unknown>;
      if (type === 'image' || type === 'file') return [[role, 'file']];
      const isSearchResult = type === 'tool-result' && role === 'assistant';
      const own = type === 'custom' || String(type).startsWith('tool-approval') || isSearchResult;
      return own ? [] : [[role, type, said, toolCallId, toolName, input]];
    });
  });
}
