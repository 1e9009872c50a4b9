import {
  Agent,
  createExtendedStore,
  createStore,
  defineTool,
  followAgent,
  fromModelMessages,
  generateAgentId,
  JSONStore,
  PostgresStore,
  SqliteStore,
  toModelMessages,
  toUIMessageStream,
  toUIMessages,
} from '../../src/index.ts';
import { asks, minute, user } from '../../src/testing/samples.ts';
import type { Anything, Entry } from './store-entries.ts';

const execute = () => 'done';

const model = {
  specificationVersion: 'v3',
  provider: 'none',
  modelId: 'none',
  supportedUrls: {},
  doStream: async () => {
    throw new Error('there is no model');
  },
};

const template = () => ({
  id: 't',
  systemPrompt: 'Be brief.',
  tools: [defineTool({ name: 'act', execute })],
  settings: { maxRetries: 0 },
  maxSteps: 2,
  toolConcurrency: 1,
  compactAt: 1_000,
});

/** A store of its own for each agent: nothing is left of it. */
const store = () => new SqliteStore(':memory:');
const options = () => ({
  store: store(),
  provider: model,
  template: template(),
  ttlMs: 5_000,
  metadata: { a: 1 },
});

const call = () => [{ ...asks('y') }, user('x')];
const record = () => ({
  ...{
    toolCallId: 'y',
    toolName: 'search',
    input: {},
    state: 'pending',
    isError: false,
    callSeq: 0,
    messageSeq: 0,
  },
  ...{ approval: { required: true }, createdAt: minute(0), updatedAt: minute(0), auditTrail: [] },
});
const modelMessages = () => [
  {
    role: 'user',
    content: [
      { type: 'text', text: 'x' },
      { type: 'file', mediaType: 'image/png', data: 'AA==' },
    ],
  },
  { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'y', toolName: 'act', input: { a: 1 } }] },
  {
    role: 'tool',
    content: [
      { type: 'tool-result', toolCallId: 'y', toolName: 'act', output: { type: 'json', value: { a: 1 } } },
    ],
  },
];

async function* parts(): AsyncGenerator<unknown> {
  yield { type: 'text-delta', text: 'x' };
}

/** An agent that lives for one call. */
async function withAgent(work: (agent: Agent) => unknown): Promise<void> {
  const own = store();
  try {
    const agent = await Agent.create({ store: own, provider: model as Anything, template: template() });
    await own.appendMessages(agent.agentId, [user('x')], { lease: undefined }).catch(() => undefined);
    try {
      await work(agent);
    } finally {
      await agent.close();
    }
  } finally {
    await own.close();
  }
}

async function closing(work: () => unknown): Promise<void> {
  const made = (await work()) as { close?: () => Promise<void> } | undefined;
  await made?.close?.();
}

const of = (
  name: string,
  args: () => unknown[],
  work: (...args: Anything[]) => unknown,
): Entry<undefined> => ({
  name,
  args,
  call: (_target, given) => work(...given),
});

const good = { host: 'localhost', port: 5432, database: 'd', user: 'u', password: 'p', max: 2 };

/** Everything public that isn't a method of a store. */
export const FUNCTIONS: readonly Entry<undefined>[] = [
  of('generateAgentId', () => [1_000], generateAgentId),
  of('toModelMessages', () => [call(), { provider: 'x', onLeftOut: () => undefined }], toModelMessages),
  of('fromModelMessages', () => [modelMessages()], fromModelMessages),
  of('toUIMessages', () => [call(), { toolCalls: [record()], firstSeq: 0, idOf: String }], toUIMessages),
  of(
    'toUIMessageStream',
    () => [parts(), { messageId: 'm', onError: String, sendReasoning: true, sendSources: false }],
    (...args) => (toUIMessageStream as Anything)(...args).cancel(),
  ),
  of(
    'defineTool',
    () => [
      {
        name: 'act',
        description: 'x',
        inputSchema: {},
        needsApproval: true,
        idempotent: true,
        timeoutMs: 5,
        execute,
      },
    ],
    defineTool,
  ),
  of(
    'new SqliteStore',
    () => [
      ':memory:',
      './x',
      { durability: 'full', busyTimeoutMs: 5, maxQueuedWrites: 5, fileMode: 0o600, holder: 'h' },
    ],
    (...args) => closing(() => new (SqliteStore as Anything)(...args)),
  ),
  of(
    'new PostgresStore',
    () => [
      good,
      './x',
      {
        schema: 's',
        prepare: 'auto',
        callTimeoutMs: 5,
        maxQueuedCalls: 5,
        holder: 'h',
        readConnection: good,
      },
    ],
    (...args) => closing(() => new (PostgresStore as Anything)(...args)),
  ),
  of(
    'new JSONStore',
    () => ['./x', { durability: 'full', readOnly: false, fileMode: 0o600, holder: 'h' }],
    (...args) => closing(() => new (JSONStore as Anything)(...args)),
  ),
  // Of a kind that isn't there, so that nothing is opened by what turns out to be right.
  of(
    'createStore',
    () => [{ type: 'none', dbPath: ':memory:', fileStoreBaseDir: './x' }, { signal: undefined }],
    (config, options) => closing(() => createStore(config ?? null, options)),
  ),
  of(
    'createExtendedStore',
    () => [{ type: 'none', connection: good }, { signal: undefined }],
    (config, options) => closing(() => createExtendedStore(config ?? null, options)),
  ),
  of(
    'followAgent',
    () => [store(), 'a', { since: 0 }],
    (...args) => (followAgent as Anything)(...args).return(),
  ),
  of(
    'Agent.create',
    () => [{ ...options(), agentId: 'a', userId: 'u' }],
    (...args) => closing(() => (Agent.create as Anything)(...args)),
  ),
  of(
    'Agent.resume',
    () => ['a', { ...options(), waitMs: 0 }],
    (...args) => closing(() => (Agent.resume as Anything)(...args)),
  ),
  of(
    'Agent.open',
    () => ['a', { ...options(), userId: 'u' }],
    (...args) => closing(() => (Agent.open as Anything)(...args)),
  ),
  of(
    'agent.run',
    () => [[{ type: 'text', text: 'x' }], { operationId: 'o', whenBusy: 'queue' }],
    (...args) => withAgent((agent) => (agent.run as Anything)(...args)),
  ),
  of(
    'agent.send',
    () => ['x', { operationId: 'o' }],
    (...args) => withAgent((agent) => (agent.send as Anything)(...args)),
  ),
  of(
    'agent.stream',
    () => ['x', { operationId: 'o' }],
    (...args) =>
      withAgent(async (agent) => {
        for await (const _part of (agent.stream as Anything)(...args)) {
          // To its end.
        }
      }),
  ),
  of(
    'agent.approve',
    () => ['y', { by: 'ana', note: 'n', callSeq: 0 }],
    (...args) => withAgent((agent) => (agent.approve as Anything)(...args)),
  ),
  of(
    'agent.deny',
    () => ['y', { by: 'ana' }],
    (...args) => withAgent((agent) => (agent.deny as Anything)(...args)),
  ),
  of(
    'agent.snapshot',
    () => ['s'],
    (...args) => withAgent((agent) => (agent.snapshot as Anything)(...args)),
  ),
  of(
    'agent.fork',
    () => [{ at: 0, agentId: 'f' }],
    (...args) => withAgent((agent) => closing(() => (agent.fork as Anything)(...args))),
  ),
  of(
    'agent.setTodos',
    () => [['one']],
    (...args) => withAgent((agent) => (agent.setTodos as Anything)(...args)),
  ),
];
