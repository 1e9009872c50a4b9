import { anthropic } from '@ai-sdk/anthropic';
import { openai } from '@ai-sdk/openai';
import { describe, expect } from 'vitest';
import { Agent, type AgentTemplate, type StepView, StoreUnavailableError } from '../../src/index.ts';
import type { ExtendedStore, Store } from '../../src/store/store.ts';
import {
  asks,
  create,
  failureOf,
  recording,
  resume,
  says,
  template,
  test,
  textBlock,
  tool,
  withCommit,
} from './harness.ts';
import { KINDS } from './provider/collect.ts';
import {
  answersIn,
  type Piece,
  type ProviderKind,
  type Script,
  type TestProvider,
} from './provider/provider.ts';

const SEARCH: Record<ProviderKind, Piece[]> = {
  anthropic: [{ webSearch: { query: 'ü', results: [{ url: 'https://example.org', title: 'A' }] } }],
  'openai-responses': [{ webSearch: { query: 'ü', results: [{ url: 'https://example.org', title: 'A' }] } }],
  'openai-chat': [],
};
const SEARCH_TOOL = {
  anthropic: { web_search: anthropic.tools.webSearch_20250305({}) },
  'openai-responses': { web_search: openai.tools.webSearch({}) },
  'openai-chat': {},
};

/** Two turns of three and two answers, told by how many answers the prompt holds. */
function script(kind: ProviderKind): Script {
  const answers: Piece[][] = [
    [
      { reasoning: ['Thinking é.', 'Further 🙂.'], signature: 'SIGNATURE==' },
      { redacted: 'REDACTED==' },
      { text: 'I look at "both".\n' },
      { call: 'draw', input: { n: 1, z: null, a: 'é\u2028' } },
      { call: 'look', input: { n: 1.5e21 } },
      { call: 'fail', input: {} },
    ],
    [
      ...SEARCH[kind],
      { text: 'Once more.' },
      { reasoning: 'Between.', signature: 'SIG2==' },
      { call: 'look', input: { b: 1, a: 2 } },
    ],
    [{ reasoning: 'Enough.', signature: 'SIG3==' }, { text: 'A dot.' }, { text: ' And 🙂.' }],
    [
      { call: 'gone', input: { n: 0 } },
      { call: 'draw', input: {} },
    ],
    [{ text: 'That is all.' }],
  ];
  return (request) => ({ pieces: answers[answersIn(request)] ?? [] });
}

function tools(kind: ProviderKind): AgentTemplate['tools'] {
  const draw = tool('draw', () => ({ file: 'plot.png' }), {
    idempotent: true,
    toModelOutput: () => ({
      type: 'content',
      value: [
        { type: 'text', text: 'plot.png' },
        { type: 'image-data', data: 'aW1hZ2U=', mediaType: 'image/png' },
      ],
    }),
  });
  const look = tool('look', (input) => ({ z: [input, null, 'ü'], a: 0.1 }), { idempotent: true });
  const fail = tool(
    'fail',
    () => {
      throw new Error('No — none.');
    },
    { idempotent: true },
  );
  return { ...(SEARCH_TOOL[kind] as object), draw: { ...draw }, look: { ...look }, fail: { ...fail } };
}

/** Both turns; when the n-th commit fails, with another agent object from there on. */
async function converse(
  store: ExtendedStore,
  provider: TestProvider,
  options: { agentId: string; template: AgentTemplate },
  failing = 0,
): Promise<number> {
  let commits = 0;
  const counted = withCommit(store, async (commit, ...args) => {
    commits += 1;
    if (commits === failing) throw new StoreUnavailableError('The process died.');
    return commit(...args);
  });
  const { agentId, ...opened } = options;
  await store.saveInfo(agentId, { templateId: 'clerk' });
  let agent = await Agent.resume(agentId, { ...opened, store: counted, provider: provider.model });
  for (const [i, input] of ['What is this?', 'Thanks. And that?'].entries()) {
    const inputs = async () => (await store.loadMessages(agentId)).filter(isInput).length;
    try {
      await agent.run(input);
    } catch (error) {
      expect(error).toBeInstanceOf(StoreUnavailableError);
      await agent.close();
      agent = await Agent.resume(agentId, { ...opened, store, provider: provider.model });
      await agent.run((await inputs()) > i ? undefined : input);
    }
  }
  await agent.close();
  return commits;
}

function isInput({ role, content }: { role: string; content: { type: string }[] }): boolean {
  return role === 'user' && content.some((block) => block.type === 'text');
}

/** The requests' texts, each once, in the order in which they came first. */
function bodies(provider: TestProvider, from = 0): string[] {
  return [...new Set(provider.requests.slice(from).map((request) => request.body))];
}

const TEMPLATES: [string, (kind: ProviderKind) => Partial<AgentTemplate>][] = [
  ['', () => ({})],
  [
    ', with cache marks and a shorter prompt from prepareStep',
    () => ({
      systemPrompt: [
        {
          role: 'system',
          content: 'Be brief.',
          providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } },
        },
      ],
      prepareStep: ({ messages }: StepView) => {
        const last = messages.at(-1);
        const marked = { ...last, providerOptions: { anthropic: { cacheControl: { type: 'ephemeral' } } } };
        return {
          messages: [...messages.slice(0, -1), marked] as StepView['messages'],
          seed: messages.length,
        };
      },
    }),
  ],
];

describe.each(KINDS)('%s', (kind) => {
  describe.each(TEMPLATES)(
    'the requests after a resume are those of the uninterrupted run%s',
    (_name, rest) => {
      test('at every commit', async ({ store, provider }) => {
        const model = await provider(script(kind), kind);
        const given = template({ tools: tools(kind), ...rest(kind) });
        const commits = await converse(store, model, { agentId: 'whole', template: given });
        const uninterrupted = bodies(model);
        expect(uninterrupted).toHaveLength(5);
        expect(commits).toBe(14);
        const whole = await store.loadMessages('whole');
        for (let failing = 1; failing <= commits; failing += 1) {
          const from = model.requests.length;
          const agentId = `cut-${failing}`;
          await converse(store, model, { agentId, template: given }, failing);
          expect(bodies(model, from), `commit ${failing}`).toEqual(uninterrupted);
          expect(await store.loadMessages(agentId)).toEqual(whole);
        }
      });
    },
  );

  test('each prompt of a turn begins with the one before', async ({ store, provider }) => {
    const model = await provider(script(kind), kind);
    await converse(store, model, { agentId: 'a', template: template({ tools: tools(kind) }) });
    const prompts = model.requests.map(({ json }) => (json.messages ?? json.input) as unknown[]);
    for (const [i, prompt] of prompts.entries()) {
      const before = prompts[i - 1] ?? [];
      expect(prompt.slice(0, before.length)).toEqual(before);
    }
    expect(prompts.map(({ length }) => length)).toEqual(
      [...prompts.map(({ length }) => length)].sort(byNumber),
    );
  });

  test('what prepareStep changes is sent and not stored', async ({ store, provider }) => {
    const model = await provider([says('Hello.'), says('Again.')], kind);
    const seen: StepView[] = [];
    const agent = await create(store, model, {
      prepareStep: (view) => {
        seen.push(view);
        return view.messages.length === 1
          ? { messages: [{ role: 'user', content: 'Something else' }], system: 'Be long.', temperature: 0.25 }
          : undefined;
      },
    });
    await agent.send('Hi');
    await agent.send('Hi again');
    expect(seen.map(({ stepNumber, messages }) => [stepNumber, messages.length])).toEqual([
      [0, 1],
      [0, 3],
    ]);
    expect(model.requests[0]?.body).toContain('Something else');
    expect(model.requests[0]?.body).toContain('Be long.');
    expect(model.requests[0]?.body).not.toContain('Be brief.');
    expect(model.requests[1]?.body).not.toContain('Something else');
    expect(model.requests[1]?.body).toContain('Be brief.');
    expect((await store.loadMessages('a'))[0]).toEqual({ role: 'user', content: [textBlock('Hi')] });
  });

  test('a block of an unknown kind stays stored, and does not keep the model from being asked', async ({
    store,
    provider,
  }) => {
    const model = await provider([says('Fine.')], kind);
    const odd = { type: 'hologram', data: [1, 2], deep: { x: null } };
    await store.saveInfo('a', { templateId: 'clerk' });
    await store.appendMessages('a', [
      { role: 'user', content: [textBlock('Look.')] },
      { role: 'assistant', content: [odd, textBlock('I looked.')] },
    ]);
    const agent = await resume(store, model);
    expect(await agent.send('And?')).toBe('Fine.');
    expect((await store.loadMessages('a'))[1]?.content[0]).toEqual(odd);
    expect(model.requests[0]?.body).toContain('I looked.');
  });
});

test('the conversation is not left with OpenAI, unless the template says so', async ({ store, provider }) => {
  const model = await provider(() => says('Hello.'), 'openai-responses');
  const agent = await create(store, model);
  await agent.send('One.');
  await agent.send('Two.');
  expect(model.requests.map(({ json }) => json.store)).toEqual([false, false]);
  expect(model.requests[1]?.body).not.toContain('item_reference');
  expect(model.requests[1]?.body).toContain('Hello.');
  await agent.close();
  const settings = { providerOptions: { openai: { store: true, user: 'u1' }, anthropic: {} } };
  const other = await resume(store, model, { settings });
  await other.send('Three.');
  expect(model.requests[2]?.json).toMatchObject({ store: true, user: 'u1' });
  await other.close();
  const partly = await resume(store, model, { settings: { providerOptions: { openai: { user: 'u1' } } } });
  await partly.send('Four.');
  expect(model.requests[3]?.json).toMatchObject({ store: false, user: 'u1' });
});

test('settings, headers and active tools reach the provider', async ({ store, provider }) => {
  const model = await provider([asks(['rest', 'c1']), says('Hello.')]);
  const watched = recording<Store>(store);
  const agent = await create(watched.store, model, {
    tools: [tool('act'), tool('rest')],
    settings: {
      temperature: 0.25,
      maxOutputTokens: 99,
      stopSequences: ['END'],
      headers: { 'x-team': 'blue' },
    },
    prepareStep: ({ stepNumber }) => ({
      activeTools: ['rest'],
      toolChoice: stepNumber === 0 ? 'required' : 'auto',
    }),
  });
  await agent.send('Hi');
  expect(model.requests[0]?.json).toMatchObject({
    max_tokens: 99,
    temperature: 0.25,
    stop_sequences: ['END'],
    tool_choice: { type: 'any' },
    tools: [{ name: 'rest' }],
  });
  expect(model.requests[1]?.json).toMatchObject({ tool_choice: { type: 'auto' } });
  expect(model.requests[0]?.headers['x-team']).toBe('blue');
  expect(JSON.stringify(watched.commits)).not.toContain('blue');
});

test('a prepareStep that throws ends the turn like any other failure', async ({ store, provider }) => {
  const model = await provider([says('Hello.')]);
  let broken = true;
  const agent = await create(store, model, {
    prepareStep: () => {
      if (broken) throw new RangeError('Too long.');
      return undefined;
    },
  });
  expect(await failureOf(agent.send('Hi'))).toMatchObject({ message: 'Too long.' });
  expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
  broken = false;
  expect((await agent.run()).text).toBe('Hello.');
});

function byNumber(a: number, b: number): number {
  return a - b;
}
