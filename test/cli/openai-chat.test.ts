import { describe, expect, it } from 'vitest';
import { convertConversation } from '../../src/cli/openai-chat.ts';
import type { ContentBlock, Message } from '../../src/model/message.ts';

function call(id: string, args = '{}', name = 'search'): object {
  return { id, type: 'function', function: { name, arguments: args } };
}

function asks(...calls: object[]): object {
  return { role: 'assistant', content: null, tool_calls: calls };
}

function result(id: string, content: unknown = `result of ${id}`, more: object = {}): object {
  return { role: 'tool', tool_call_id: id, content, ...more };
}

const ask = { role: 'user', content: 'question' };
const end = { role: 'assistant', content: 'answer' };

function messagesOf(...input: unknown[]): Message[] {
  const { steps, problems } = convertConversation(input);
  expect(problems).toEqual([]);
  return steps.map((step) => step.message);
}

function blocksOf(...input: unknown[]): ContentBlock[] {
  return messagesOf(...input).flatMap((message) => message.content);
}

function problemsOf(...input: unknown[]): string[] {
  const { problems } = convertConversation(input);
  return problems.map(({ message, text }) => `${message ?? 'end'}: ${text}`);
}

describe('messages', () => {
  it('keep their place, role and text', () => {
    const prompt = { role: 'system', content: 'Be brief.' };
    expect(messagesOf(prompt, ask, end, ask, { role: 'assistant', content: '' })).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: [{ type: 'text', text: 'question' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'answer' }] },
      { role: 'user', content: [{ type: 'text', text: 'question' }] },
      { role: 'assistant', content: [{ type: 'text', text: '' }] },
    ]);
  });

  it('have no block for null content', () => {
    expect(messagesOf(ask, { role: 'assistant', content: null, refusal: 'no' })[1]).toEqual({
      role: 'assistant',
      content: [],
      metadata: { refusal: 'no' },
    });
  });

  it('keep what has no place in metadata, keys like __proto__ included', () => {
    const [message] = messagesOf(
      JSON.parse('{"role":"user","name":"Ada","content":"x","__proto__":{"a":1}}'),
    );
    expect(JSON.stringify(message)).toBe(
      '{"role":"user","content":[{"type":"text","text":"x"}],"metadata":{"name":"Ada","__proto__":{"a":1}}}',
    );
  });

  it('of a developer are system prompts that say so', () => {
    expect(messagesOf({ role: 'developer', content: 'x' })).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'x' }], metadata: { role: 'developer' } },
    ]);
  });

  it('keep parts as blocks', () => {
    const content = [
      { type: 'text', text: 'look' },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png', detail: 'low' } },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
      { type: 'input_audio', input_audio: { data: 'BBBB', format: 'wav' } },
      { type: 'file', file: { file_id: 'f1' } },
      { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC', filename: 'a.pdf' } },
    ];
    expect(blocksOf({ role: 'user', content })).toEqual([
      { type: 'text', text: 'look' },
      { type: 'image', url: 'https://example.com/a.png', metadata: { detail: 'low' } },
      { type: 'image', base64: 'AAAA', mime_type: 'image/png' },
      { type: 'audio', base64: 'BBBB', mime_type: 'audio/wav' },
      { type: 'file', file_id: 'f1' },
      { type: 'file', base64: 'CCCC', mime_type: 'application/pdf', filename: 'a.pdf' },
    ]);
    const refusal = { type: 'refusal', refusal: 'I would rather not.' };
    expect(blocksOf({ role: 'assistant', content: [refusal] })).toEqual([refusal]);
  });
});

describe('tool calls', () => {
  it('become blocks behind the text', () => {
    const asking = { role: 'assistant', content: 'wait', tool_calls: [call('a', '{"q":1}'), call('b')] };
    expect(messagesOf(ask, asking)[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'text', text: 'wait' },
        { type: 'tool_use', id: 'a', name: 'search', input: { q: 1 } },
        { type: 'tool_use', id: 'b', name: 'search', input: {} },
      ],
    });
  });

  it.each([
    ['is empty', ''],
    ['is longer than an index takes', `call|${'s'.repeat(30_000)}`],
    ['holds a NUL character', 'a\0b'],
    ['is no whole Unicode', 'a\ud800'],
  ])('M1 keep an id and a name as they come: one that %s', (_, id) => {
    expect(messagesOf(asks(call(id, '{}', id)), result(id))).toEqual([
      { role: 'assistant', content: [{ type: 'tool_use', id, name: id, input: {} }] },
      {
        role: 'user',
        content: [{ type: 'tool_result', tool_use_id: id, content: `result of ${id}` }],
      },
    ]);
  });

  it.each([
    ['blanks', '{ "q": 1 }', { q: 1 }],
    ['a number that JSON writes otherwise', '{"q":1.0}', { q: 1 }],
    ['a repeated key', '{"q":1,"q":2}', { q: 2 }],
    ['an escape', '{"q":"\\u00e9"}', { q: 'é' }],
    ['no JSON', '{"q": "cut o', {}],
    ['nothing', '', {}],
    ['a number that nothing can hold', '{"q":1e999}', {}],
    ['more depth than is stored', `${'['.repeat(2000)}${']'.repeat(2000)}`, {}],
  ])('keep the text of arguments with %s', (_, text, input) => {
    expect(blocksOf(asks(call('a', text)))).toEqual([
      { type: 'tool_use', id: 'a', name: 'search', input, arguments_text: text },
    ]);
  });

  it.each(['{"q":1,"a":[true,null,"\\n图"]}', '{"__proto__":{"b":2}}', '[]', '"text"', 'null', '12'])(
    'need no text beside what gives it back: %s',
    (text) => {
      const [block] = blocksOf(asks(call('a', text)));
      expect(block).not.toHaveProperty('arguments_text');
      expect(block && 'input' in block && JSON.stringify(block.input)).toBe(text);
    },
  );

  it('keep what a provider added', () => {
    const added = { ...call('a'), index: 0, extra_content: { signature: 's' } };
    expect(blocksOf(asks(added))[0]).toMatchObject({
      metadata: { index: 0, extra_content: { signature: 's' } },
    });
  });

  it('may be left open by the end of a recording', () => {
    const { steps, toolCalls, problems } = convertConversation([ask, asks(call('a'), call('b'))]);
    expect(problems).toEqual([]);
    expect(toolCalls).toBe(2);
    expect(steps).toHaveLength(2);
  });
});

describe('results', () => {
  it('of one step form one message in the order of the calls', () => {
    const { steps, problems } = convertConversation([
      asks(call('a'), call('b')),
      result('b', 'two', { name: 'search' }),
      result('a', 'Error: one', { name: 'other' }),
      end,
    ]);
    expect(problems).toEqual([]);
    expect(steps).toHaveLength(3);
    expect(steps[1]).toEqual({
      message: {
        role: 'user',
        content: [
          {
            type: 'tool_result',
            tool_use_id: 'a',
            content: 'Error: one',
            is_error: true,
            metadata: { name: 'other' },
          },
          { type: 'tool_result', tool_use_id: 'b', content: 'two' },
        ],
      },
      toolCalls: [
        { toolCallId: 'a', callSeq: 0, state: 'failed', output: 'Error: one', isError: true },
        { toolCallId: 'b', callSeq: 1, state: 'completed', output: 'two', isError: false },
      ],
    });
  });

  it('belong to the call of their own step when an id comes again', () => {
    const { steps } = convertConversation([
      asks(call('a'), call('a')),
      result('a', '1'),
      result('a', '2'),
      asks(call('a')),
      result('a', '3'),
    ]);
    expect(steps.flatMap((step) => step.toolCalls.map(({ callSeq, output }) => [callSeq, output]))).toEqual([
      [0, '1'],
      [1, '2'],
      [2, '3'],
    ]);
  });

  it.each([
    ['null', null, null, false],
    ['nothing', '', '', false],
    ['a word that begins alike', 'Errors: none', 'Errors: none', true],
    ['an error in small letters', 'error', 'error', false],
    ['parts', [{ type: 'text', text: 'Error: x' }], [{ type: 'text', text: 'Error: x' }], true],
  ])('may be %s', (_, content, output, isError) => {
    const { steps } = convertConversation([asks(call('a')), result('a', content)]);
    expect(steps[1]?.toolCalls[0]).toMatchObject({ output, isError });
    const [block] = steps[1]?.message.content ?? [];
    expect(block).toEqual({
      type: 'tool_result',
      tool_use_id: 'a',
      content: output,
      ...(isError ? { is_error: true } : {}),
    });
  });
});

describe('bad records', () => {
  it.each([
    ['no object', 7, 'expected an object with role and content'],
    ['a role of its own', { role: 'robot', content: 'x' }, 'role: expected system, developer, user, …'],
    ['no content', { role: 'user' }, 'content: expected a string or an array of parts'],
    ['an answer without anything', { role: 'assistant' }, 'content: is missing'],
    ['an unknown part', { role: 'user', content: [{ type: 'x' }] }, 'content[0].type: expected a part of …'],
    ['a result of nothing', result('a'), 'tool_call_id: no call "a" waits for a result here'],
    ['a result without its id', { role: 'tool', content: 'x' }, 'tool_call_id: expected a string'],
    ['a call whose id is no text', asks({ ...call('a'), id: null }), 'tool_calls[0].id: expected a string'],
    [
      'a call with too long an id',
      asks(call('x'.repeat(65_537))),
      'tool_calls[0].id: must be at most 65536 bytes long',
    ],
    [
      'a result of a long id',
      result('x'.repeat(300)),
      `tool_call_id: no call "${'x'.repeat(100)}…" waits for a result here`,
    ],
    ['arguments that are no text', asks({ id: 'a', function: { name: 'b', arguments: {} } }), 'tool_calls[…'],
    [
      'another kind of call',
      asks({ ...call('a'), type: 'custom' }),
      'tool_calls[0].type: expected "function"',
    ],
    ['the old kind of call', { ...end, function_call: { name: 'a' } }, 'function_call: is the retired …'],
    ['a number that is none', { ...ask, score: Number.POSITIVE_INFINITY }, 'message.metadata.score: is …'],
  ])('are reported with their position: %s', (_, message, text) => {
    const [problem, ...others] = problemsOf(ask, message);
    expect(others).toEqual([]);
    expect(problem).toMatch(new RegExp(`^1: ${escapeRegExp(text).replace('…', '.*')}$`));
  });

  it('are all reported, each message on its own', () => {
    expect(problemsOf(7, ask, { role: 'user' })).toHaveLength(2);
    expect(problemsOf(asks({}, call('x'.repeat(65_537))))).toHaveLength(3);
  });

  it('are calls that got no result before the conversation went on, or some of a step that did not', () => {
    expect(problemsOf(asks(call('a'), call('b')), result('b'), ask)).toEqual([
      '2: tool call "a" got no result',
    ]);
    expect(problemsOf(asks(call('a')), asks(call('b')), result('a'))).toEqual([
      '1: tool call "a" got no result',
      '2: tool_call_id: no call "a" waits for a result here',
    ]);
    expect(problemsOf(asks(call('a'), call('b')), result('a'))).toEqual(['end: tool call "b" got no result']);
  });

  it('are second results', () => {
    expect(problemsOf(asks(call('a')), result('a'), result('a'))).toEqual([
      '2: tool_call_id: no call "a" waits for a result here',
    ]);
  });

  it('are conversations without messages', () => {
    expect(problemsOf()).toEqual(['end: has no messages']);
  });
});

function escapeRegExp(text: string): string {
  return text.replace(/[[\]().]/g, '\\$&');
}
