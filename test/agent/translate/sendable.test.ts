import { describe, expect, it } from 'vitest';
import { type LeftOut, toModelMessages } from '../../../src/agent/translate/to-model-messages.ts';
import type { ContentBlock, Message } from '../../../src/model/message.ts';

const text = (value: string, rest: object = {}): ContentBlock => ({ type: 'text', text: value, ...rest });
const use = (id: string, name = 'read', input: unknown = {}): ContentBlock => ({
  type: 'tool_use',
  id,
  name,
  input,
});
const result = (id: string, content: unknown): ContentBlock => ({
  type: 'tool_result',
  tool_use_id: id,
  content,
});
const user = (...content: ContentBlock[]): Message => ({ role: 'user', content });
const answer = (...content: ContentBlock[]): Message => ({ role: 'assistant', content });
const system = (...content: ContentBlock[]): Message => ({ role: 'system', content });

describe('M3 a prompt is what every provider accepts', () => {
  it('without blank texts, and without messages that have nothing else', () => {
    const leftOut: LeftOut[] = [];
    const prompt = toModelMessages(
      [
        system(text(' ')),
        user(text('\n\t ')),
        user(text('Hi'), text('  ')),
        answer(text(''), { type: 'reasoning', reasoning: ' ' }),
        answer(text('\u00a0'), text('Yes.')),
      ],
      { onLeftOut: (one) => leftOut.push(one) },
    );
    expect(prompt).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'Yes.' }] },
    ]);
    expect(leftOut.map(({ message, reason }) => [message, reason])).toEqual([
      [0, 'blank'],
      [1, 'blank'],
      [2, 'blank'],
      [3, 'blank'],
      [3, 'blank'],
      [4, 'blank'],
    ]);
  });

  it('with blank texts that their provider signed, for that provider', () => {
    const signed = text('', { providerOptions: { google: { thoughtSignature: 's' } } });
    const cached = text(' ', { providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } });
    const conversation = [user(text('Hi')), answer(signed, cached)];
    expect(toModelMessages(conversation, { provider: 'google.generative-ai' })[1]?.content).toHaveLength(1);
    expect(toModelMessages(conversation)[1]?.content).toHaveLength(1);
    expect(toModelMessages(conversation, { provider: 'anthropic.messages' })).toHaveLength(1);
  });

  it('with unknown blocks for the provider that made them alone', () => {
    const nobodys: ContentBlock = { type: 'hologram', data: 'x' };
    const custom: ContentBlock = { type: 'custom', kind: 'openai.thing' };
    const made: ContentBlock = { type: 'later', x: 1, providerOptions: { anthropic: { id: '1' } } };
    const conversation = [user(text('Hi'), nobodys), answer(nobodys, custom, made)];
    const types = (provider?: string) =>
      toModelMessages(conversation, { provider }).flatMap(({ content }) =>
        typeof content === 'string' ? [] : content.map(({ type }) => type),
      );
    expect(types()).toEqual(['text', 'custom', 'later']);
    expect(types('openai.responses')).toEqual(['text', 'custom']);
    expect(types('azure.chat')).toEqual(['text', 'custom']);
    expect(types('anthropic.messages')).toEqual(['text', 'later']);
    expect(types('mistral.chat')).toEqual(['text']);
  });

  it('with an answer to each call in the next message, and names and inputs that can be', () => {
    const conversation = [
      user(text('Hi')),
      answer(use('a', ''), use('b', 'x y/z'.repeat(50)), use('c', 'fs.read', [1]), use('d', 'ok', null)),
      user(result('a', ''), text('And?')),
      user(result('b', 'late')),
    ];
    const [, called, answered, rest] = toModelMessages(conversation, { tools: new Set(['fs.read']) });
    const parts = called?.content as { toolName: string; input: unknown }[];
    expect(parts.map(({ toolName, input }) => [toolName, input])).toEqual([
      ['unnamed_tool', {}],
      ['x_y_z'.repeat(50).slice(0, 64), {}],
      ['fs.read', { input: [1] }],
      ['ok', { input: null }],
    ]);
    const first = answered?.content as { toolCallId: string; output: unknown }[];
    expect(first[0]).toMatchObject({ toolCallId: 'a', output: { type: 'json', value: '' } });
    expect(answered?.role).toBe('tool');
    const results = [answered, rest].flatMap((message) => message?.content as { toolCallId: string }[]);
    expect(results.map(({ toolCallId }) => toolCallId)).toEqual(['a', 'b', 'c', 'd']);
    const names = toModelMessages(conversation).flatMap(({ role, content }) =>
      role === 'assistant' && typeof content !== 'string' ? content : [],
    );
    expect(names[2]).toMatchObject({ toolName: 'fs.read' });
  });
});
