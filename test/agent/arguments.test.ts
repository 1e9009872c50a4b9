import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  Agent,
  defineTool,
  followAgent,
  fromModelMessages,
  toModelMessages,
  toUIMessageStream,
  toUIMessages,
  ValidationError,
} from '../../src/index.ts';
import { asks, create, failureOf, says, template, test, tool } from './harness.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a caller without a type checker may pass
type Anything = any;

function failureIn(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

/** Refused by name. */
function expectRefusal(failure: unknown, field: string): void {
  expect(failure).toBeInstanceOf(ValidationError);
  expect((failure as ValidationError).field).toContain(field);
}

const NOT_MESSAGES: Anything[] = [
  undefined,
  null,
  5,
  'text',
  {},
  () => [],
  new Map(),
  [5],
  [null],
  [[]],
  [{}],
];

describe("A3 functions refuse by name what they can't take", () => {
  it.each(NOT_MESSAGES)('messages: %o', (given) => {
    expectRefusal(
      failureIn(() => toModelMessages(given)),
      'messages',
    );
    expectRefusal(
      failureIn(() => fromModelMessages(given)),
      'messages',
    );
    expectRefusal(
      failureIn(() => toUIMessages(given)),
      'messages',
    );
  });

  it("messages that can't be read, or not to their end", () => {
    const cycle: Anything = { type: 'hologram' };
    cycle.self = cycle;
    expectRefusal(
      failureIn(() => fromModelMessages([{ role: 'user', content: [cycle] }])),
      'messages',
    );
    const content = [
      {
        type: 'text',
        get text() {
          throw new Error('from the caller');
        },
      },
    ];
    for (const translate of [toModelMessages, fromModelMessages, toUIMessages] as Anything[]) {
      expectRefusal(
        failureIn(() => translate([{ role: 'user', content }])),
        'messages',
      );
      expectRefusal(
        failureIn(() => translate([{ role: 'user', content: new Array(1) }])),
        'messages[0].content[0]',
      );
      expectRefusal(
        failureIn(() => translate([{ role: 'poet', content: [] }])),
        'messages[0].role',
      );
    }
  });

  it.each([
    null,
    5,
    'x',
    [],
    { toolcalls: [] },
    { idOf: 5 },
    { firstSeq: '0' },
    { toolCalls: {} },
  ] as Anything[])('options of toUIMessages: %o', (given) =>
    expectRefusal(
      failureIn(() => toUIMessages([], given)),
      '',
    ),
  );

  it.each([null, 5, { onleftout: 1 }, { onLeftOut: 1 }] as Anything[])(
    'options of toModelMessages: %o',
    (given) =>
      expectRefusal(
        failureIn(() => toModelMessages([], given)),
        '',
      ),
  );

  it('parts and options of toUIMessageStream', () => {
    for (const given of [undefined, null, 5, [], {}] as Anything[]) {
      expectRefusal(
        failureIn(() => toUIMessageStream(given)),
        'parts',
      );
    }
    async function* none() {}
    for (const given of [null, 5, { onerror: 1 }, { onError: 1 }] as Anything[]) {
      expectRefusal(
        failureIn(() => toUIMessageStream(none(), given)),
        '',
      );
    }
  });

  it('definitions of tools', () => {
    const execute = () => 1;
    for (const given of [undefined, null, 5, 'act', [], () => 1, {}] as Anything[]) {
      expectRefusal(
        failureIn(() => defineTool(given)),
        '',
      );
    }
    const slips = { idempotant: true, needApproval: true, timeout: 5, excute: execute, descripton: 'x' };
    for (const [key, value] of Object.entries(slips)) {
      expectRefusal(
        failureIn(() => defineTool({ name: 'act', execute, [key]: value } as Anything)),
        key,
      );
    }
    expectRefusal(
      failureIn(() => defineTool({ name: 'act', execute, idempotent: 1 } as Anything)),
      'idempotent',
    );
    // What is the AI SDK's is handed on.
    const ofSdk = { strict: true, providerOptions: {}, title: 'Act', inputExamples: [], outputSchema: {} };
    expect(defineTool({ name: 'act', execute, ...ofSdk } as Anything)).toMatchObject(ofSdk);
  });

  it('arguments of followAgent', async () => {
    expectRefusal(
      failureIn(() => (followAgent as Anything)()),
      'store',
    );
    expectRefusal(
      failureIn(() => (followAgent as Anything)({}, 'a')),
      'store',
    );
  });

  it("what isn't an agent's store", async () => {
    for (const given of [
      undefined,
      null,
      5,
      {},
      { store: {} },
      { store: null, template: template() },
    ] as Anything[]) {
      expectRefusal(await failureOf(Agent.create(given)), '');
      expectRefusal(await failureOf(Agent.resume('a', given)), '');
      expectRefusal(await failureOf(Agent.open('a', given)), '');
    }
    for (const start of ['create', 'resume', 'open'] as const) {
      expectRefusal(await failureOf((Agent[start] as Anything)()), '');
    }
  });
});

describe('A2 unknown keys are refused by name', () => {
  test('in the options of agents and in templates', async ({ store, provider }) => {
    const { model } = await provider([]);
    const good = { store, provider: model, template: template() };
    const slips: [Anything, string][] = [
      [{ ...good, agentID: 'a' }, 'options.agentID'],
      [{ ...good, usrId: 'u' }, 'options.usrId'],
      [{ ...good, template: { ...template(), maxStep: 5 } }, 'template.maxStep'],
      [{ ...good, template: { ...template(), system: 'x' } }, 'template.system'],
      [{ ...good, template: { ...template(), settings: 5 } }, 'template.settings'],
      [{ ...good, template: { ...template(), tools: 5 } }, 'template.tools'],
    ];
    for (const [options, field] of slips) expectRefusal(await failureOf(Agent.create(options)), field);
    expect(await store.list()).toEqual([]);
    await store.saveInfo('a', {});
    expectRefusal(await failureOf(Agent.resume('a', { ...good, wait: 5 } as Anything)), 'options.wait');
    expectRefusal(await failureOf(Agent.resume('a', { ...good, lease: {} } as Anything)), 'lease');
    expectRefusal(await failureOf(Agent.open('a', { ...good, metdata: {} } as Anything)), 'options.metdata');
    expect((await store.acquireAgentLock('a')).release()).toBeInstanceOf(Promise);
  });

  test('in the options of turns and decisions', async ({ store, provider }) => {
    const agent = await create(store, await provider([]));
    const bad = [null, 5, { operation: 'x' }, { whenBusy: 'wait' }, { signal: {} }, { signal: new Date() }];
    for (const options of bad as Anything[]) {
      expectRefusal(await failureOf(agent.run('hello', options)), '');
      expectRefusal(await failureOf(agent.send('hello', options)), '');
      expectRefusal(await failureOf(agent.stream('hello', options).next()), '');
    }
    for (const note of [null, 5, { because: 'x' }] as Anything[]) {
      expectRefusal(await failureOf(agent.approve('x', note)), 'decision');
      expectRefusal(await failureOf(agent.deny('x', note)), 'decision');
    }
    expectRefusal(await failureOf(agent.fork({ snapshot: 's' } as Anything)), 'options.snapshot');
    expect(await store.loadMessages(agent.agentId)).toEqual([]);
    await agent.close();
  });
});

describe('R1 values of another realm', () => {
  const other = (code: string): Anything => runInNewContext(`(${code})`);

  it('are understood in messages of the model SDK', () => {
    for (const bytes of ['new Uint8Array([1, 2, 3])', 'new Uint8Array([1, 2, 3]).buffer']) {
      const part = { type: 'file', mediaType: 'image/png', data: other(bytes) };
      expect(fromModelMessages([{ role: 'user', content: [part] }])).toEqual([
        { role: 'user', content: [{ type: 'image', base64: 'AQID', mime_type: 'image/png' }] },
      ]);
    }
    const unknown = other('{ type: "hologram", deep: { bytes: new Uint8Array([1]), gone: undefined } }');
    expect(fromModelMessages([{ role: 'user', content: [unknown] }])).toEqual([
      { role: 'user', content: [{ type: 'hologram', deep: { bytes: 'AQ==' } }] },
    ]);
  });

  test('that a tool returns are refused by name, and the model is told so', async ({ store, provider }) => {
    const look = tool('look', () => ({ found: other('new Map([[1, 2]])') }));
    const agent = await create(store, await provider([asks(['look', 'c']), says('done')]), { tools: [look] });
    await agent.run('look');
    const [call] = await store.loadToolCallRecords(agent.agentId);
    expect(call).toMatchObject({ state: 'failed', isError: true });
    expect(call?.error).toContain('is a Map');
    await agent.close();
  });
});
