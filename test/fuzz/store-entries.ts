import type { ExtendedStore, Store } from '../../src/store/store.ts';
import { asks, assistant, minute, progress, user } from '../../src/testing/samples.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a caller without a type checker may pass
export type Anything = any;

/** A way into the package, with arguments that would be right. */
export interface Entry<T> {
  readonly name: string;
  readonly args: () => unknown[];
  call(target: T, args: readonly Anything[]): unknown;
}

type Methods<S> = {
  [M in keyof S & string as S[M] extends (...args: never) => unknown ? M : never]: unknown;
};
type Arguments<S> = { readonly [M in keyof Methods<S>]: (() => unknown[])[] };

const record = () => ({
  toolCallId: 'x',
  toolName: 'search',
  input: { q: 1 },
  output: { found: [1] },
  state: 'executing',
  approval: { required: true, decision: 'allow', decidedBy: 'ana', decidedAt: minute(1), note: 'fine' },
  auditTrail: [{ state: 'pending', at: minute(1), note: 'n' }],
  startedAt: minute(1),
  durationMs: 5,
});

const change = () => ({
  messages: [user('x'), asks('y'), { ...assistant('z'), metadata: { a: 1 }, providerOptions: { p: {} } }],
  toolCalls: [record()],
  events: [progress('x', { n: 1 })],
  todos: { todos: ['one'], version: 3, updatedAt: minute(1) },
  usage: [{ model: 'm', inputTokens: 1, outputTokens: 2, latencyMs: 3.5, configHash: 'h' }],
  info: { userId: 'u', status: 'running', lastBookmark: { seq: 1, timestamp: 1 }, metadata: { a: { b: 1 } } },
  compaction: { seq: 1, messages: [user('short')], metadata: { a: 1 } },
  snapshot: { id: 's', messageCount: 1, lastSfpIndex: 0, metadata: { a: 1 } },
  at: minute(1),
  allowFuture: false,
  operationId: 'o',
});

const write = () => ({ lease: undefined });
const page = { limit: 5, offset: 0, order: 'asc' };

/** The compiler asks for a line here for each method that is added to the interface. */
const STORE: Omit<Arguments<Store>, 'close'> = {
  open: [() => [{ signal: undefined }]],
  commit: [() => ['a', change()]],
  saveInfo: [() => ['a', change().info, write()]],
  loadInfo: [() => ['a']],
  saveMessages: [() => ['a', change().messages, write()]],
  appendMessages: [() => ['a', change().messages, write()]],
  loadMessages: [() => ['a']],
  loadContext: [() => ['a']],
  saveToolCallRecords: [() => ['a', [record()], write()]],
  loadToolCallRecords: [() => ['a']],
  loadOpenCalls: [() => ['a']],
  loadWorkingSet: [() => ['a']],
  saveTodos: [() => ['a', change().todos, write()]],
  loadTodos: [() => ['a']],
  loadCompactions: [() => ['a']],
  loadAgent: [() => ['a']],
  appendEvent: [() => ['a', progress('x', { n: 1 })]],
  readEvents: [() => ['a', { since: { seq: 0, timestamp: 1 }, channel: 'progress', order: 'asc' }]],
  saveDelta: [() => ['a', { text: 'x' }]],
  loadDelta: [() => ['a']],
  isWatched: [() => ['a']],
  saveSnapshot: [
    () => ['a', { id: 's', messages: [user('x')], metadata: { a: 1 }, createdAt: minute(1) }, write()],
  ],
  loadSnapshot: [() => ['a', 's']],
  listSnapshots: [() => ['a']],
  fork: [() => ['a', { at: 1 }]],
  saveDocument: [() => ['a', { kind: 'compression', name: 'n', content: { a: 1 } }, write()]],
  loadDocument: [() => ['a', 'compression', 'n']],
  listDocuments: [() => ['a', 'compression']],
  deleteDocument: [() => ['a', 'compression', 'n', write()]],
  acquireAgentLock: [() => ['a', { ttlMs: 1_000, waitMs: 0, holder: 'h' }], () => ['a', 1_000]],
  decideApproval: [() => ['a', 'x', { decision: 'allow', by: 'ana', note: 'n', callSeq: 0 }]],
  exists: [() => ['a']],
  delete: [() => ['gone']],
  list: [() => ['a']],
};

const EXTENDED: Omit<
  { readonly [M in keyof Methods<Omit<ExtendedStore, keyof Store>>]: (() => unknown[])[] },
  'watch' | 'backup'
> = {
  querySessions: [
    () => [{ ...page, templateId: 't', metadata: { 'a.b': 1 }, sortBy: 'updatedAt', createdAfter: 0 }],
  ],
  queryMessages: [
    () => [{ ...page, agentId: 'a', role: 'user', contentType: 'text', createdBefore: minute(9) }],
  ],
  queryToolCalls: [
    () => [{ ...page, agentId: 'a', toolName: 't', state: 'pending', isError: false, hasApproval: true }],
  ],
  aggregateStats: [() => ['a'], () => [{ userId: 'u', status: 'idle' }]],
  iterateSessions: [() => [{ limit: 5, order: 'desc' }]],
  iterateMessages: [() => [{ limit: 5, agentId: 'a' }]],
  iterateToolCalls: [() => [{ limit: 5 }]],
  healthCheck: [() => []],
  checkConsistency: [() => ['a', { level: 'quick' }]],
  getMetrics: [() => []],
  batchFork: [() => ['a', 2]],
  claimResumable: [() => [{ limit: 1, ttlMs: 1_000 }]],
};

export const STORE_ENTRIES = entriesOf<Store>(STORE);
export const EXTENDED_ENTRIES = entriesOf<ExtendedStore>(EXTENDED);

function entriesOf<S>(calls: Readonly<Record<string, (() => unknown[])[]>>): Entry<S>[] {
  return Object.entries(calls).flatMap(([name, all]) =>
    all.map((args) => ({
      name,
      args,
      call: (store: S, given: readonly Anything[]) => (store as Anything)[name](...given),
    })),
  );
}
