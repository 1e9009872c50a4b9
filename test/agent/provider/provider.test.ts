import { afterEach, describe, expect, it } from 'vitest';
import { ask, KINDS, partsOf, textOf, toolsFor } from './collect.ts';
import { type ProviderKind, type Script, startProvider, type TestProvider } from './provider.ts';

const TEXT = 'Grüße, 世界 🙂! "quoted" \\ and\nmore';

let provider: TestProvider | undefined;
afterEach(() => provider?.stop());

async function start(kind: ProviderKind, script: Script): Promise<TestProvider> {
  provider = await startProvider(kind, script);
  return provider;
}

describe.each(KINDS)('%s', (kind) => {
  it('streams a text', async () => {
    const asked = await ask(await start(kind, [{ pieces: [{ text: TEXT }] }]));
    expect(textOf(asked)).toBe(TEXT);
    expect(partsOf(asked, 'text-delta').length).toBeGreaterThan(5);
    expect(partsOf(asked, 'error')).toEqual([]);
    expect(partsOf(asked, 'finish')).toMatchObject([{ finishReason: 'stop' }]);
  });

  it('records what it was asked, byte for byte', async () => {
    const server = await start(kind, [{ pieces: [{ text: 'ok' }] }]);
    await ask(server, { messages: [{ role: 'user', content: TEXT }] });
    const [request] = server.requests;
    expect(request).toMatchObject({ index: 0, kind, closedByClient: false });
    expect(request?.body).toContain(JSON.stringify(TEXT));
    expect(JSON.parse(request?.body ?? '')).toEqual(request?.json);
    expect(request?.headers[kind === 'anthropic' ? 'x-api-key' : 'authorization']).toContain('test-key');
  });

  it('calls tools in parallel', async () => {
    const server = await start(kind, [
      {
        pieces: [
          { text: 'Looking.' },
          { call: 'lookup', id: 'first', input: { q: 'é🙂' } },
          { call: 'lookup', input: {} },
          { call: 'lookup', input: { q: 'last', list: [1, null, { deep: true }] } },
        ],
      },
    ]);
    const asked = await ask(server);
    const calls = partsOf(asked, 'tool-call');
    expect(calls.map((call) => call.input)).toEqual([
      { q: 'é🙂' },
      {},
      { q: 'last', list: [1, null, { deep: true }] },
    ]);
    expect(calls[0]?.toolCallId).toBe('first');
    expect(new Set(calls.map((call) => call.toolCallId)).size).toBe(3);
    const deltas = partsOf(asked, 'tool-input-delta').filter((part) => part.id === 'first');
    expect(deltas.map((part) => part.delta).join('')).toBe('{"q":"\\u00e9\\ud83d\\ude42"}');
    // A chunk ends inside of an escape.
    expect(deltas.some((part) => /\\u[0-9a-f]{0,3}$/.test(part.delta))).toBe(true);
    expect(partsOf(asked, 'finish')).toMatchObject([{ finishReason: 'tool-calls' }]);
  });

  it('gives malformed input, which the SDK answers with an error of its own', async () => {
    const server = await start(kind, [{ pieces: [{ call: 'lookup', id: 'm', rawInput: '{"q": "x' }] }]);
    const asked = await ask(server);
    expect(partsOf(asked, 'tool-call')).toMatchObject([
      { toolCallId: 'm', input: '{"q": "x', invalid: true, dynamic: true },
    ]);
    expect(partsOf(asked, 'tool-error')).toMatchObject([{ toolCallId: 'm', input: '{"q": "x' }]);
    expect(asked.messages.map((message) => message.role)).toEqual(['assistant', 'tool']);
  });

  it('repeats an id within an answer', async () => {
    const call = (q: string) => ({ call: 'lookup', id: 'same', input: { q } });
    const asked = await ask(await start(kind, [{ pieces: [call('a'), call('b')] }]));
    const calls = partsOf(asked, 'tool-call');
    expect(calls.map((part) => part.input)).toEqual([{ q: 'a' }, { q: 'b' }]);
    expect(calls[0]?.toolCallId).toBe('same');
    // The chat package gives the second one a random id; the others hand both on as they came.
    expect(calls[1]?.toolCallId === 'same').toBe(kind !== 'openai-chat');
  });

  it('tells the usage', async () => {
    const usage = { inputTokens: 100, cachedTokens: 60, outputTokens: 30, reasoningTokens: 12 };
    const asked = await ask(await start(kind, [{ pieces: [{ text: 'ok' }], usage }]));
    expect(partsOf(asked, 'finish-step')).toMatchObject([
      {
        usage: {
          inputTokens: 100,
          inputTokenDetails: { cacheReadTokens: 60 },
          outputTokens: 30,
          outputTokenDetails: { reasoningTokens: 12 },
        },
      },
    ]);
  });

  it.each(['length', 'content-filter'] as const)('finishes with %s', async (finish) => {
    const asked = await ask(await start(kind, [{ pieces: [{ text: 'so far' }], finish }]));
    expect(partsOf(asked, 'finish')).toMatchObject([{ finishReason: finish }]);
  });

  it('cites', async () => {
    const citations = [{ url: 'https://example.org/a', title: 'A', citedText: 'fact' }];
    const asked = await ask(await start(kind, [{ pieces: [{ text: 'A fact.', citations }] }]));
    expect(partsOf(asked, 'source')).toMatchObject([{ url: 'https://example.org/a', title: 'A' }]);
  });
});

it('anthropic: counts what was written to the cache', async () => {
  const usage = { inputTokens: 100, cachedTokens: 60, cacheWriteTokens: 10 };
  const asked = await ask(await start('anthropic', [{ pieces: [{ text: 'ok' }], usage }]));
  const inputTokenDetails = { noCacheTokens: 30, cacheReadTokens: 60, cacheWriteTokens: 10 };
  expect(partsOf(asked, 'finish-step')).toMatchObject([{ usage: { inputTokens: 100, inputTokenDetails } }]);
});

it('anthropic: searches the web', async () => {
  const found = { url: 'https://example.org/a', title: 'A', encryptedContent: 'ENC' };
  const pieces = [{ webSearch: { query: 'what é', results: [found] } }, { text: 'Found.' }];
  const tools = toolsFor('anthropic');
  const asked = await ask(await start('anthropic', [{ pieces }]), { tools });
  const executed = { toolName: 'web_search', providerExecuted: true };
  expect(partsOf(asked, 'tool-call')).toMatchObject([{ ...executed, input: { query: 'what é' } }]);
  expect(partsOf(asked, 'tool-result')).toMatchObject([
    { ...executed, output: [{ type: 'web_search_result', ...found, pageAge: null }] },
  ]);
  expect(partsOf(asked, 'source')).toMatchObject([{ url: found.url }]);
  expect(partsOf(asked, 'finish')).toMatchObject([{ finishReason: 'stop' }]);
});

it('anthropic: fails to search the web', async () => {
  const pieces = [{ webSearch: { query: 'q', results: { error: 'max_uses_exceeded' } } }, { text: 'Sorry.' }];
  const tools = toolsFor('anthropic');
  const asked = await ask(await start('anthropic', [{ pieces }]), { tools });
  expect(partsOf(asked, 'tool-error')).toMatchObject([
    { toolName: 'web_search', providerExecuted: true, input: { query: 'q' } },
  ]);
  expect(textOf(asked)).toBe('Sorry.');
});

it('openai-responses: searches the web', async () => {
  const results = [{ url: 'https://example.org/a', title: 'A' }];
  const tools = toolsFor('openai-responses');
  const server = await start('openai-responses', [{ pieces: [{ webSearch: { query: 'q', results } }] }]);
  const asked = await ask(server, { tools });
  const output = {
    action: { type: 'search', query: 'q' },
    sources: [{ type: 'url', url: 'https://example.org/a' }],
  };
  expect(partsOf(asked, 'tool-result')).toMatchObject([
    { toolName: 'web_search', providerExecuted: true, output },
  ]);
});
