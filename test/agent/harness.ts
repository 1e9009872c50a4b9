import { jsonSchema } from 'ai';
import { describe, it } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import type { CreateOptions } from '../../src/agent/agent-options.ts';
import type { ToolDefinition } from '../../src/agent/define-tool.ts';
import { defineTool } from '../../src/agent/define-tool.ts';
import type { AgentStreamPart } from '../../src/agent/stream-part.ts';
import type { AgentTemplate } from '../../src/agent/template.ts';
import type { Tool } from '../../src/agent/tool.ts';
import type { TurnCommit } from '../../src/model/agent.ts';
import type { ContentBlock, Message } from '../../src/model/message.ts';
import type { ExtendedStore, Store } from '../../src/store/store.ts';
import type { TestDatabase } from '../../src/testing/harness.ts';
import { allBackends, anySqlBackend } from '../support/backends.ts';
import { type ProviderKind, type Script, type StreamedAnswer, startProvider } from './provider/provider.ts';

/** What a test runs in. Everything it starts ends with it. */
export interface World<S extends Store = Store> {
  store: S;
  /** Another store on the same database. JSON files have one store at a time: there it is the same one. */
  another(): Promise<S>;
  /** Closes every store, as the end of a process does, and opens the database anew. */
  reopen(): Promise<S>;
  /** A local server in a wire format (default: Anthropic's), and the real package's model that asks it. */
  provider(script: Script, kind?: ProviderKind): ReturnType<typeof startProvider>;
}

type Test<S extends Store> = (name: string, body: (world: World<S>) => Promise<void>) => void;

/** Registers the same tests for each kind of store; `testSql` for those with queries and `watch`. */
export function onEachStore(
  body: (tests: { test: Test<Store>; testSql: Test<ExtendedStore> }) => void,
): void {
  for (const backend of allBackends()) {
    const run = (test: (world: World<never>) => Promise<void>) => () =>
      inWorld(() => backend.create(), backend.capabilities.sharedAccess, test as never);
    describe(backend.name, () =>
      body({
        test: (name, test) => it(name, run(test)),
        testSql: (name, test) => {
          if (backend.capabilities.extended) it(name, run(test));
        },
      }),
    );
  }
}

const anyBackend = anySqlBackend();

/** For tests to which it doesn't matter where things are stored. */
export const test: Test<ExtendedStore> = (name, body) => {
  it(name, () => inWorld(() => anyBackend.create(), false, body as (world: World) => Promise<void>));
};

async function inWorld(
  create: () => Promise<TestDatabase>,
  sharedAccess: boolean,
  body: (world: World) => Promise<void>,
): Promise<void> {
  const database = await create();
  const stops: (() => Promise<void>)[] = [];
  let open: Store[] = [];
  const openStore = async () => {
    const store = await database.open();
    open.push(store);
    return store;
  };
  const closeAll = async () => {
    const closing = open;
    open = [];
    for (const store of closing) await store.close();
  };
  const world: World = {
    store: await openStore(),
    another: async () => (sharedAccess ? openStore() : world.store),
    async reopen() {
      await closeAll();
      world.store = await openStore();
      return world.store;
    },
    async provider(script, kind = 'anthropic') {
      const provider = await startProvider(kind, script);
      stops.push(() => provider.stop());
      return provider;
    },
  };
  try {
    await body(world);
  } finally {
    // Servers first: a turn that hangs must not keep a store from closing.
    await Promise.all(stops.map((stop) => stop()));
    await closeAll();
    await database.destroy();
  }
}

/** A template that doesn't try a failed call again, unless it says so. */
export function template(rest: Partial<AgentTemplate> = {}): AgentTemplate {
  return { id: 'clerk', systemPrompt: 'Be brief.', ...rest, settings: { maxRetries: 0, ...rest.settings } };
}

/** An agent called `a`. */
export function create(
  store: Store,
  { model }: { model: NonNullable<CreateOptions['provider']> },
  rest: Partial<AgentTemplate> = {},
): Promise<Agent> {
  return Agent.create({ store, provider: model, agentId: 'a', template: template(rest) });
}

/** The agent called `a`, found again. */
export function resume(
  store: Store,
  { model }: { model: NonNullable<CreateOptions['provider']> },
  rest: Partial<AgentTemplate> = {},
): Promise<Agent> {
  return Agent.resume('a', { store, provider: model, template: template(rest) });
}

/** A tool that gives back its input's `n`, unless it is told to do something else. */
export function tool(
  name: string,
  execute: ToolDefinition<unknown, unknown>['execute'] = (input) => (input as { n?: unknown }).n ?? 'ok',
  rest: Partial<ToolDefinition<unknown, unknown>> = {},
): Tool {
  return defineTool({ inputSchema: jsonSchema({ type: 'object' }), ...rest, name, execute });
}

export function says(text: string, rest: Partial<StreamedAnswer> = {}): StreamedAnswer {
  return { pieces: [{ text }], ...rest };
}

/** An answer that asks for tools: `[name, id, input]`. */
export function asks(...calls: [name: string, id: string, input?: unknown][]): StreamedAnswer {
  return { pieces: calls.map(([call, id, input = {}]) => ({ call, id, input })) };
}

export function textBlock(text: string): ContentBlock {
  return { type: 'text', text };
}

export function userSays(text: string): Message {
  return { role: 'user', content: [textBlock(text)] };
}

export function modelSays(text: string): Message {
  return { role: 'assistant', content: [textBlock(text)] };
}

/** The model's answer that asks for tools, as it is stored. */
export function modelAsks(...calls: [name: string, id: string, input?: unknown][]): Message {
  return {
    role: 'assistant',
    content: calls.map(([name, id, input = {}]) => ({ type: 'tool_use', id, name, input })),
  };
}

/** The message of a step's results, as it is stored: `[id, content, isError]`. */
export function results(...all: [id: string, content: unknown, isError?: true][]): Message {
  return {
    role: 'user',
    content: all.map(([tool_use_id, content, is_error]) => ({
      type: 'tool_result',
      tool_use_id,
      content,
      ...(is_error && { is_error }),
    })),
  };
}

/** The calls of agent `a`: id and state, in their order. */
export async function states(store: Store, agentId = 'a'): Promise<[string, string][]> {
  return (await store.loadToolCallRecords(agentId)).map((call) => [call.toolCallId, call.state]);
}

/** The store, and every change that was committed through it, in order. */
export function recording<S extends Store>(store: S): { store: S; commits: TurnCommit[] } {
  const commits: TurnCommit[] = [];
  return {
    commits,
    store: withCommit(store, async (commit, agentId, change) => {
      const result = await commit(agentId, change);
      commits.push(structuredClone({ ...change, lease: undefined }));
      return result;
    }),
  };
}

/** The store, but its commits go through `around`. */
export function withCommit<S extends Store>(
  store: S,
  around: (commit: Store['commit'], ...args: Parameters<Store['commit']>) => ReturnType<Store['commit']>,
): S {
  return new Proxy(store, {
    get(target, name: keyof Store) {
      const member: unknown = target[name];
      if (typeof member !== 'function') return member;
      const bound: unknown = member.bind(target);
      return name === 'commit'
        ? (...args: Parameters<Store['commit']>) => around(bound as Store['commit'], ...args)
        : bound;
    },
  });
}

/** The types of the events of agent `a`, in their order. */
export async function eventTypes(store: Store, agentId = 'a'): Promise<string[]> {
  const types: string[] = [];
  for await (const { event } of store.readEvents(agentId)) types.push(event.type);
  return types;
}

/** Something that happens once, and that others wait for. */
export function latch<T = void>(): { happened: Promise<T>; happen(value: T): void } {
  let happen: (value: T) => void = () => undefined;
  const happened = new Promise<T>((resolve) => {
    happen = resolve;
  });
  return { happened, happen };
}

/** The parts of a turn, and what it failed with. `onPart` sees them as they come. */
export async function collect(
  parts: AsyncIterable<AgentStreamPart>,
  onPart: (part: AgentStreamPart) => void = () => undefined,
): Promise<{ parts: AgentStreamPart[]; failure: unknown }> {
  const seen: AgentStreamPart[] = [];
  try {
    for await (const part of parts) {
      seen.push(part);
      onPart(part);
    }
    return { parts: seen, failure: undefined };
  } catch (failure) {
    return { parts: seen, failure };
  }
}

/** What a promise was rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('It was not rejected.');
}
