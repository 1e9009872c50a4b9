import type { ModelMessage } from 'ai';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, KINDS, partsOf, toolsFor } from './collect.ts';
import { answersIn, type Piece, type ProviderKind, startProvider, type TestProvider } from './provider.ts';

let provider: TestProvider | undefined;
afterEach(() => provider?.stop());

const HI: ModelMessage = { role: 'user', content: 'Hi' };
/** An answer and one to the request that carries it back with the calls' results. */
async function replay(kind: ProviderKind, pieces: Piece[]) {
  provider = await startProvider(kind, [{ pieces }, { pieces: [{ text: 'Done.' }] }]);
  const tools = toolsFor(kind);
  const first = await ask(provider, { messages: [HI], tools });
  const results: ModelMessage[] = partsOf(first, 'tool-call')
    .filter((call) => !call.providerExecuted)
    .map(({ toolCallId, toolName }) => ({
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: 'found' } }],
    }));
  await ask(provider, { messages: [HI, ...first.messages, ...results], tools });
  const [, second] = provider.requests;
  if (!second) throw new Error('There was no second request.');
  return { first, second };
}

const THOUGHTS: Piece[] = [
  { reasoning: ['Thinking é.', 'Further 🙂.'], signature: 'SIGNATURE==' },
  { redacted: 'REDACTED==' },
  { text: 'Let me look.' },
  { call: 'lookup', id: 'call_1', input: { q: 'é' } },
];

it('anthropic: signatures and redacted thinking go back verbatim', async () => {
  const { first, second } = await replay('anthropic', THOUGHTS);
  const reasoning = [...partsOf(first, 'reasoning-start'), ...partsOf(first, 'reasoning-delta')];
  const metadata = reasoning.flatMap((part) => (part.providerMetadata ? [part.providerMetadata] : []));
  expect(metadata).toContainEqual({ anthropic: { signature: 'SIGNATURE==' } });
  expect(metadata).toContainEqual({ anthropic: { redactedData: 'REDACTED==' } });
  expect(second.json.messages).toMatchObject([
    { role: 'user' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Thinking é.\n\nFurther 🙂.', signature: 'SIGNATURE==' },
        { type: 'redacted_thinking', data: 'REDACTED==' },
        { type: 'text', text: 'Let me look.' },
        { type: 'tool_use', id: 'call_1', name: 'lookup', input: { q: 'é' } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1' }] },
  ]);
});

it('openai-responses: encrypted reasoning goes back verbatim, the final one', async () => {
  const { first, second } = await replay('openai-responses', THOUGHTS);
  expect(partsOf(first, 'reasoning-end').at(-1)?.providerMetadata).toMatchObject({
    openai: { reasoningEncryptedContent: 'REDACTED==' },
  });
  expect(second.json).toMatchObject({
    store: false,
    include: expect.arrayContaining(['reasoning.encrypted_content']),
  });
  expect(second.json.input).toMatchObject([
    { role: 'user' },
    {
      type: 'reasoning',
      encrypted_content: 'SIGNATURE==',
      summary: [{ text: 'Thinking é.' }, { text: 'Further 🙂.' }],
    },
    { type: 'reasoning', encrypted_content: 'REDACTED==', summary: [] },
    { role: 'assistant' },
    { type: 'function_call', call_id: 'call_1', name: 'lookup', arguments: '{"q":"é"}' },
    { type: 'function_call_output', call_id: 'call_1', output: 'found' },
  ]);
  expect(second.body).toContain('Let me look.');
  expect(second.body).not.toContain('early-');
});

it('openai-responses: gives no encrypted reasoning that was not asked for', async () => {
  provider = await startProvider('openai-responses', [{ pieces: THOUGHTS }]);
  const body = JSON.stringify({ model: 'gpt-5', input: [], stream: true });
  const response = await fetch(`${provider.url}/v1/responses`, { method: 'POST', body });
  expect(await response.text()).not.toContain('SIGNATURE');
});

it('openai-chat: reasoning is left out, text and calls go back', async () => {
  const { first, second } = await replay('openai-chat', THOUGHTS);
  expect(partsOf(first, 'reasoning-start')).toEqual([]);
  expect(second.json.messages).toMatchObject([
    { role: 'user' },
    { role: 'assistant', content: 'Let me look.', tool_calls: [{ id: 'call_1' }] },
    { role: 'tool', tool_call_id: 'call_1', content: 'found' },
  ]);
});

it('anthropic: a web search goes back with its encrypted content', async () => {
  const results = [{ url: 'https://example.org', title: 'A', encryptedContent: 'ENCRYPTED==' }];
  const { second } = await replay('anthropic', [
    { webSearch: { query: 'q', results }, id: 'srv_1' },
    { text: 'A.' },
  ]);
  expect(second.json.messages).toMatchObject([
    { role: 'user' },
    {
      role: 'assistant',
      content: [
        { type: 'server_tool_use', id: 'srv_1', name: 'web_search', input: { query: 'q' } },
        {
          type: 'web_search_tool_result',
          tool_use_id: 'srv_1',
          content: [{ type: 'web_search_result', encrypted_content: 'ENCRYPTED==' }],
        },
        { type: 'text', text: 'A.' },
      ],
    },
  ]);
});

describe.each(KINDS)('%s', (kind) => {
  it('counts the answers that a prompt holds', async () => {
    const { second } = await replay(kind, THOUGHTS);
    expect(provider?.requests.map(answersIn)).toEqual([0, 1]);
    expect(second.index).toBe(1);
  });

  it('makes the same ids for the same request', async () => {
    const ids: string[][] = [];
    for (const _ of ['one server', 'another']) {
      const { first } = await replay(kind, [
        { call: 'lookup', input: {} },
        { call: 'lookup', input: {} },
      ]);
      await provider?.stop();
      ids.push(partsOf(first, 'tool-call').map((call) => call.toolCallId));
    }
    expect(ids[0]).toHaveLength(2);
    expect(ids[1]).toEqual(ids[0]);
  });
});
