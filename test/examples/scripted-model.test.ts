import { streamText, tool } from 'ai';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { chooseModel } from '../../examples/support/choose-model.ts';
import { type Script, type Situation, scriptedModel } from '../../examples/support/scripted-model.ts';

const tools = {
  add: tool({ inputSchema: z.object({ a: z.number(), b: z.number() }), execute: async ({ a, b }) => a + b }),
  fail: tool({
    inputSchema: z.object({}),
    execute: (): Promise<string> => Promise.reject(new Error('out of order')),
  }),
};

const seen: Situation[] = [];
const script: Script = (situation) => {
  seen.push(situation);
  if (situation.done.length > 0) return { text: situation.done.map(({ result }) => result).join(', ') };
  return {
    text: 'One moment, please.',
    calls: [
      { tool: 'add', input: { a: 1, b: 2 } },
      { tool: 'fail', input: {} },
    ],
  };
};

async function partsOf(turn: ReturnType<typeof streamText>): Promise<{ type: string; text?: string }[]> {
  const parts = [];
  for await (const part of turn.fullStream) parts.push(part);
  return parts;
}

describe('the scripted model', () => {
  test('goes by the prompt: what was said last, and what came of the calls since then', async () => {
    seen.length = 0;
    const stopWhen = ({ steps }: { steps: unknown[] }) => steps.length === 2;
    const turn = streamText({ model: scriptedModel(script), tools, system: 'Add.', prompt: 'Go', stopWhen });
    await turn.consumeStream();
    expect(await turn.text).toBe('3, out of order');
    expect(seen).toMatchObject([
      { input: 'Go', system: 'Add.', done: [] },
      {
        input: 'Go',
        done: [
          { tool: 'add', input: { a: 1, b: 2 }, result: '3', failed: false },
          { tool: 'fail', input: {}, result: 'out of order', failed: true },
        ],
      },
    ]);
    const { inputTokens, outputTokens } = await turn.totalUsage;
    expect(inputTokens).toBeGreaterThan(0);
    expect(outputTokens).toBeGreaterThan(0);
  });

  test('streams its text in pieces, and gives the same answer to the same prompt', async () => {
    const [once, again] = await Promise.all(
      [1, 2].map(() => partsOf(streamText({ model: scriptedModel(script, { pauseMs: 0 }), prompt: 'Go' }))),
    );
    const said = once?.filter(({ type }) => type === 'text-delta').map(({ text }) => text);
    expect(said).toEqual(['One', ' moment,', ' please.']);
    const named = (parts: unknown) => JSON.stringify(parts).match(/"(toolCallId|text)":"[^"]*"/g);
    expect(named(again)).toEqual(named(once));
    expect(named(once)).toContain('"toolCallId":"call_2"');
  });

  test('stops when it is told to', async () => {
    const stop = new AbortController();
    const model = scriptedModel(() => ({ text: 'never '.repeat(1000) }), { pauseMs: 5 });
    const turn = streamText({ model, prompt: 'Go', abortSignal: stop.signal });
    const types: string[] = [];
    for await (const { type } of turn.fullStream) {
      types.push(type);
      if (types.length === 10) stop.abort();
    }
    expect(types.at(-1)).toBe('abort');
    expect(types.length).toBeLessThan(100);
  });
});

describe('the choice of a model', () => {
  const names = ['ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'KODE_MODEL'];
  const saved = names.map((name) => [name, process.env[name]] as const);
  const forget = () => {
    for (const name of names) delete process.env[name];
  };
  beforeEach(forget);
  afterEach(() => {
    forget();
    for (const [name, value] of saved) if (value !== undefined) process.env[name] = value;
  });

  test.each([
    [{}, 'scripted', 'scripted'],
    [{ ANTHROPIC_API_KEY: '' }, 'scripted', 'scripted'],
    [{ ANTHROPIC_API_KEY: 'key', OPENAI_API_KEY: 'key' }, 'anthropic.messages', 'claude-sonnet-5-5'],
    [{ OPENAI_API_KEY: 'key' }, 'openai.responses', 'gpt-5.4-mini'],
    [{ OPENAI_API_KEY: 'key', KODE_MODEL: 'gpt-5.4' }, 'openai.responses', 'gpt-5.4'],
  ])('with %j', async (variables, provider, modelId) => {
    Object.assign(process.env, variables);
    const lines: string[] = [];
    expect(await chooseModel(script, (line) => lines.push(line))).toMatchObject({ provider, modelId });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(provider === 'scripted' ? 'a script, which needs no key' : modelId);
  });
});
