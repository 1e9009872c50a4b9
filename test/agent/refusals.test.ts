import { createAnthropic } from '@ai-sdk/anthropic';
import { describe, expect, it } from 'vitest';
import {
  Agent,
  AgentNotFoundError,
  type AgentTemplate,
  defineTool,
  ModelError,
  ValidationError,
} from '../../src/index.ts';
import { create, failureOf, says, template, test, tool, userSays } from './harness.ts';

describe('what create() refuses, and the field it names', () => {
  const cases: [string, unknown, string][] = [
    ['no template', undefined, 'template'],
    ['a template that is a function', () => template(), 'template'],
    ['no id', { ...template(), id: undefined }, 'template.id'],
    ['an empty id', template({ id: '' }), 'template.id'],
    ['a prompt that is no text', template({ systemPrompt: 7 as never }), 'template.systemPrompt'],
    ['steps that are none', template({ maxSteps: 0 }), 'template.maxSteps'],
    ['half a step', template({ maxSteps: 1.5 }), 'template.maxSteps'],
    ['no room for tools', template({ toolConcurrency: 0 }), 'template.toolConcurrency'],
    ['a limit below zero', template({ compactAt: -1 }), 'template.compactAt'],
    ['a prepareStep that is no function', template({ prepareStep: {} as never }), 'template.prepareStep'],
    ['two tools of one name', template({ tools: [tool('act'), tool('act')] }), 'template.tools'],
    ['a tool without execute', template({ tools: { act: { description: 'Acts.' } } }), 'template.tools'],
    ['a tool that is nothing', template({ tools: [undefined as never] }), 'template.tools[0]'],
    ['a tool without a name', template({ tools: { '': tool('act') as never } }), 'template.tools'],
    ['a name that no model can call', template({ tools: { 'x y': tool('act') as never } }), 'template.tools'],
    ['a tool with such a name', template({ tools: [{ ...tool('act'), name: 'x y' }] }), 'template.tools'],
  ];
  for (const [what, given, field] of cases) {
    test(what, async ({ store, provider }) => {
      const { model } = await provider([]);
      const failure = await failureOf(
        Agent.create({ store, provider: model, agentId: 'a', template: given as AgentTemplate }),
      );
      expect(failure).toBeInstanceOf(ValidationError);
      expect(failure).toMatchObject({ field });
      expect(await store.list()).toEqual([]);
    });
  }

  test('an id that cannot be one', async ({ store, provider }) => {
    const { model } = await provider([]);
    const failure = await failureOf(
      Agent.create({ store, provider: model, agentId: '../a', template: template() }),
    );
    expect(failure).toMatchObject({ code: 'VALIDATION', field: 'agentId' });
  });

  test('what is no model, with the remedy', async ({ store }) => {
    const anthropic = createAnthropic({ apiKey: 'test-key' });
    for (const [given, message] of [
      [anthropic, /anthropic\('claude-…'\)/],
      [undefined, /language model/],
      [{}, /language model/],
      ['', /language model/],
      [null, /language model/],
    ] as const) {
      const options = { store, provider: given as never, template: template() };
      for (const name of ['create', 'open', 'resume'] as const) {
        const start = name === 'create' ? Agent.create(options) : Agent[name]('a', options);
        expect(await failureOf(start)).toMatchObject({
          code: 'VALIDATION',
          field: 'provider',
          message: expect.stringMatching(message),
        });
      }
    }
    expect(await store.list()).toEqual([]);
  });
});

it('defineTool() refuses what could never run', () => {
  const execute = () => 'ok';
  expect(() => defineTool({ name: '', execute })).toThrow(ValidationError);
  expect(() => defineTool({ name: 'act', execute: undefined as never })).toThrow(/"act"/);
  expect(() => defineTool({ name: 'act', execute, timeoutMs: 0 })).toThrow(/timeoutMs/);
  expect(() => defineTool({ name: 'act', execute, timeoutMs: Number.NaN })).toThrow(/timeoutMs/);
});

it('M1 defineTool() refuses names that providers refuse, and says what they take', () => {
  const execute = () => 'ok';
  for (const name of ['x y', 'a.b', 'größe', 'x'.repeat(65), 7 as never]) {
    expect(() => defineTool({ name, execute })).toThrow(/^name: .*1 to 64 letters.*digits, "_" and "-"/);
  }
  for (const name of ['_', 'Get-loan_2', 'x'.repeat(64)])
    expect(defineTool({ name, execute }).name).toBe(name);
});

test("M1 a tool server's names are taken as far as any provider takes them", async ({ store, provider }) => {
  const { model } = await provider([]);
  const { execute } = tool('act');
  const agent = await create(store, { model }, { tools: { 'files.read:v1': { execute } } });
  await agent.close();
});

test('a model of a specification that the installed SDK does not know', async ({ store, provider }) => {
  const { model } = await provider([]);
  const newer = Object.assign(Object.create(model), { specificationVersion: 'v99' });
  const agent = await create(store, { model: newer });
  const failure = await failureOf(agent.send('Hi'));
  expect(failure).toBeInstanceOf(ModelError);
  expect(failure).toMatchObject({ message: expect.stringMatching(/v3 with ai 6, of v4 with ai 7/) });
  // The model can be exchanged: the input is kept.
  expect(await store.loadMessages('a')).toEqual([userSays('Hi')]);
  expect(await store.loadInfo('a')).toMatchObject({ status: 'interrupted' });
});

test('an input that is nothing', async ({ store, provider }) => {
  const model = await provider([says('Hello.')]);
  const agent = await create(store, model);
  for (const input of ['', [], 7, null, { type: 'text', text: 'Hi' }]) {
    expect(await failureOf(agent.send(input as never))).toMatchObject({ code: 'VALIDATION', field: 'input' });
  }
  expect(await failureOf(agent.run())).toMatchObject({ code: 'VALIDATION', field: 'input' });
  expect(await failureOf(agent.send([{ text: 'no type' } as never]))).toBeInstanceOf(ValidationError);
  expect(await failureOf(agent.send([{ type: 'text', text: 10n as never }]))).toBeInstanceOf(ValidationError);
  expect(await store.loadInfo('a')).toMatchObject({ messageCount: 0, status: 'idle' });
  expect(await agent.send('Hi')).toBe('Hello.');
  expect(model.requests).toHaveLength(1);
});

test('an agent that does not exist is not resumed', async ({ store, provider }) => {
  const { model } = await provider([]);
  const failure = await failureOf(Agent.resume('nobody', { store, provider: model, template: template() }));
  expect(failure).toBeInstanceOf(AgentNotFoundError);
  expect(failure).toMatchObject({ message: expect.stringMatching(/Agent\.create\(\).*Agent\.open\(\)/) });
  expect(failure).not.toMatchObject({ message: expect.stringMatching(/saveInfo|commit/) });
  const choose = () => template();
  expect(await failureOf(Agent.resume('nobody', { store, provider: model, template: choose }))).toMatchObject(
    {
      message: expect.stringMatching(/Agent\.create\(\)/),
    },
  );
  expect(await store.list()).toEqual([]);
});

test("another agent's lease", async ({ store, provider }) => {
  const { model } = await provider([]);
  await store.saveInfo('a', { templateId: 'clerk' });
  await store.saveInfo('b', { templateId: 'clerk' });
  const lease = await store.acquireAgentLock('b');
  const failure = await failureOf(Agent.resume('a', { store, provider: model, template: template(), lease }));
  expect(failure).toMatchObject({ code: 'VALIDATION', field: 'lease' });
  // It is the caller's, who may still use it.
  expect(lease.signal.aborted).toBe(false);
});

test('a template that is refused on resume leaves the agent free', async ({ store, provider }) => {
  const { model } = await provider([]);
  await store.saveInfo('a', { templateId: 'clerk' });
  const bad = { store, provider: model, template: template({ maxSteps: -1 }) };
  expect(await failureOf(Agent.resume('a', bad))).toBeInstanceOf(ValidationError);
  const throwing = {
    store,
    provider: model,
    template: () => {
      throw new Error('No such template.');
    },
  };
  expect(await failureOf(Agent.resume('a', throwing))).toMatchObject({ message: 'No such template.' });
  await (await store.acquireAgentLock('a')).release();
});
