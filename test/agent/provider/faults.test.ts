import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startChild } from '../../support/child.ts';
import { ask, KINDS, partsOf, textOf } from './collect.ts';
import { type Answer, answersIn, type ProviderKind, type Script, startProvider } from './provider.ts';

let stop = async () => {};
afterEach(() => stop());

async function start(kind: ProviderKind, script: Script) {
  const provider = await startProvider(kind, script);
  stop = provider.stop;
  return provider;
}

const TEXT = 'A longer text, 世界, that comes in many chunks.';
const OK: Answer = { pieces: [{ text: 'ok' }] };

describe.each(KINDS)('%s', (kind) => {
  it('streams in many writes, some of which end inside of a character', async () => {
    const provider = await start(kind, [{ pieces: [{ text: TEXT }], chunkMs: 2 }]);
    const path = {
      anthropic: 'messages',
      'openai-responses': 'responses',
      'openai-chat': 'chat/completions',
    };
    const body = JSON.stringify({ model: 'm', stream: true });
    const response = await fetch(`${provider.url}/v1/${path[kind]}`, { method: 'POST', body });
    let reads = 0;
    let broken = 0;
    for await (const bytes of response.body ?? []) {
      reads += 1;
      const text = Buffer.from(bytes).toString('utf8');
      if (text.includes('\ufffd') || /\\u[0-9a-f]{0,3}$/.test(text)) broken += 1;
    }
    expect(reads).toBeGreaterThan(10);
    expect(broken).toBeGreaterThan(0);
  });

  it.each([0, 1])('refuses with 429 and retry-after %d, then answers', async (retryAfterSeconds) => {
    const provider = await start(kind, [{ status: 429, retryAfterSeconds }, OK]);
    const before = performance.now();
    const asked = await ask(provider);
    expect(textOf(asked)).toBe('ok');
    expect(provider.requests).toHaveLength(2);
    expect(provider.requests[1]?.body).toBe(provider.requests[0]?.body);
    const ms = performance.now() - before;
    // Without the header the SDK waits for two seconds.
    expect(ms).toBeLessThan(1_900);
    expect(ms).toBeGreaterThan(retryAfterSeconds * 990);
  });

  it('fails with 500', async () => {
    const provider = await start(kind, [{ status: 500, message: 'It broke.' }]);
    const asked = await ask(provider, { maxRetries: 0 });
    const error = { name: 'AI_APICallError', message: 'It broke.', statusCode: 500, isRetryable: true };
    expect(partsOf(asked, 'error')).toMatchObject([{ error }]);
  });

  it('cuts in mid-text: the stream throws after what had arrived', async () => {
    const provider = await start(kind, [{ pieces: [{ text: TEXT }], cutAfter: 3, chunkSize: 4 }]);
    const asked = await ask(provider);
    expect(textOf(asked)).toBe(TEXT.slice(0, 12));
    expect(asked.thrown).toMatchObject({ name: 'AI_APICallError', cause: { message: 'terminated' } });
    expect(partsOf(asked, 'finish')).toEqual([]);
    expect(provider.requests).toMatchObject([{ closedByClient: false }]);
  });

  it('cuts inside of a tool input: no call', async () => {
    const pieces = [{ text: 'T' }, { call: 'lookup', input: { q: 'abc' } }];
    const asked = await ask(await start(kind, [{ pieces, cutAfter: 3 }]));
    expect(partsOf(asked, 'tool-input-start')).toHaveLength(1);
    expect(partsOf(asked, 'tool-input-delta')).toHaveLength(2);
    expect(partsOf(asked, 'tool-call')).toEqual([]);
    expect(asked.thrown).toBeDefined();
  });

  it('cuts after all content: calls have arrived, except with chat, whose calls come with the end', async () => {
    const pieces = [{ call: 'lookup', input: { q: 'abc' } }];
    const asked = await ask(await start(kind, [{ pieces, cutAfter: 1_000 }]));
    expect(partsOf(asked, 'tool-call')).toHaveLength(kind === 'openai-chat' ? 0 : 1);
    expect(partsOf(asked, 'finish')).toEqual([]);
    expect(asked.thrown).toBeDefined();
  });

  it('cuts before any content: the OpenAI packages fail the call itself, the other one its stream', async () => {
    const asked = await ask(await start(kind, [{ pieces: [{ text: TEXT }], cutAfter: 0 }]), {
      maxRetries: 0,
    });
    const error = { name: 'AI_APICallError', isRetryable: true, cause: { message: 'terminated' } };
    if (kind === 'anthropic') expect(asked.thrown).toMatchObject(error);
    else expect(partsOf(asked, 'error')).toMatchObject([{ error }]);
    expect(textOf(asked)).toBe('');
  });

  it('fails in mid-stream: an error part, and the stream ends as if it were whole', async () => {
    const asked = await ask(await start(kind, [{ pieces: [{ text: TEXT }], errorAfter: 2, chunkSize: 4 }]));
    expect(partsOf(asked, 'error')).toHaveLength(1);
    expect(textOf(asked)).toBe(TEXT.slice(0, 8));
    expect(partsOf(asked, 'finish')).toMatchObject([{ finishReason: 'error' }]);
    expect(asked.messages).toHaveLength(1);
  });

  it('ends in mid-stream without a word: no error part', async () => {
    const asked = await ask(await start(kind, [{ pieces: [{ text: TEXT }], endAfter: 2, chunkSize: 4 }]));
    expect(textOf(asked)).toBe(TEXT.slice(0, 8));
    expect(partsOf(asked, 'error')).toEqual([]);
    // "interrupted" from ai 7 on.
    expect(partsOf(asked, 'finish')).toMatchObject([
      { finishReason: expect.stringMatching(/^(other|interrupted)$/) },
    ]);
  });

  it('hangs until the client aborts', async () => {
    const provider = await start(kind, [{ pieces: [{ text: TEXT }], hangAfter: 3, chunkSize: 4 }]);
    const controller = new AbortController();
    let chunks = 0;
    const asked = await ask(provider, {
      abortSignal: controller.signal,
      onPart: (part) => {
        if (part.type === 'text-delta' && ++chunks === 3) controller.abort();
      },
    });
    expect(textOf(asked)).toBe(TEXT.slice(0, 12));
    expect(partsOf(asked, 'abort')).toHaveLength(1);
    await provider.idle();
    expect(provider.requests).toMatchObject([{ closedByClient: true }]);
  });

  it('outlives a killed client, and answers the next one by what its prompt holds', async () => {
    const answers: Answer[] = [{ pieces: [{ text: 'abcdefgh' }], chunkSize: 4, hangAfter: 1 }, OK];
    // The first request of its kind hangs, the next one with the same prompt doesn't.
    const provider = await start(kind, (request, index) => answers[answersIn(request) + index] ?? OK);
    const child = startChild(new URL('./asker.child.ts', import.meta.url), { args: [kind, provider.url] });
    const request = await provider.arrived(0);
    expect(await child.line()).toBe('abcd');
    expect(request.closedByClient).toBe(false);
    await child.kill();
    await provider.idle();
    expect(request.closedByClient).toBe(true);
    expect(textOf(await ask(provider))).toBe('ok');
    expect(provider.requests.map(answersIn)).toEqual([0, 0]);
  });

  it.each([
    ['has run out', []],
    [
      'throws',
      () => {
        throw new Error('no answer');
      },
    ],
    ['ends an answer in two ways', [{ ...OK, cutAfter: 1, hangAfter: 2 }]],
    ['asks for what JSON cannot tell', [{ pieces: [{ call: 'lookup', input: 1n }] }]],
  ] satisfies [string, Script][])('fails at once when the script %s', async (_, script) => {
    const provider = await start(kind, script);
    const asked = await ask(provider);
    expect(partsOf(asked, 'error')).toMatchObject([{ error: { statusCode: 400, isRetryable: false } }]);
    expect(provider.requests).toHaveLength(1);
  });

  it('lets go of a client that leaves while the script still waits', async () => {
    const provider = await start(kind, () => new Promise<Answer>(() => {}));
    const controller = new AbortController();
    const asking = ask(provider, { abortSignal: controller.signal });
    await provider.arrived(0);
    controller.abort();
    await asking;
    await provider.idle();
    expect(provider.requests).toMatchObject([{ closedByClient: true }]);
  });

  it('stops while an answer hangs, and is gone', async () => {
    const provider = await start(kind, [{ pieces: [{ text: TEXT }], hangAfter: 2 }]);
    const asking = ask(provider, { maxRetries: 0 });
    await provider.arrived(0);
    await provider.stop();
    expect((await asking).thrown ?? partsOf(await asking, 'error')).toBeDefined();
    await provider.idle();
    expect(provider.requests[0]?.closedByClient).toBe(false);
    const socket = connect(Number(new URL(provider.url).port), '127.0.0.1');
    await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED');
  });
});

it('openai-chat: half a tool input becomes a call when the stream fails or ends without a cut', async () => {
  const pieces = [{ call: 'lookup', input: { q: 'abc' } }];
  const asked = await ask(await start('openai-chat', [{ pieces, errorAfter: 2 }]));
  expect(partsOf(asked, 'tool-call')).toMatchObject([{ input: '{"q"', invalid: true }]);
});
