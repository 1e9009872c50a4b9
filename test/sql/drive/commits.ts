import { AgentExistsError, VersionConflictError } from '../../../src/errors.ts';
import { type AgentInfoInput, DOCUMENT_KINDS, type TurnCommit } from '../../../src/model/agent.ts';
import { answers, asks, conversation, createAgent, event, user } from '../../../src/testing/samples.ts';
import { expectFailure } from './expect-failure.ts';
import { type Stores, withFresh } from './stores.ts';

/** Something of everything that a commit can write; `count` of what may come in numbers. */
export function fullCommit(count: number, name: string): TurnCommit {
  const each = Array.from({ length: count }, (_, n) => `${name}-${n}`);
  const channels = ['progress', 'control', 'monitor'] as const;
  return {
    messages: [user(name), asks(...each)],
    toolCalls: each.map((toolCallId) => ({ toolCallId, state: 'executing' })),
    events: channels.slice(0, count).map((channel) => event(channel, 'step')),
    todos: { todos: [name] },
    usage: each.map((model) => ({ model, inputTokens: 1 })),
    info: { status: 'running', metadata: { name, tags: each } },
    compaction: { seq: 1, messages: [user('in short')] },
    snapshot: { id: name },
    operationId: name,
  };
}

export async function driveCommits(stores: Stores): Promise<void> {
  await driveCreation(stores);
  await driveInfo(stores);
  await driveCalls(stores);
  await driveOperations(stores);
  await driveRaces(stores);
  await driveDocuments(stores);
}

async function driveCreation({ store, other }: Stores): Promise<void> {
  for (const count of [1, 3]) {
    const agentId = `full-${count}`;
    await store.commit(agentId, { ...fullCommit(count, 'first'), expectedVersion: 0 });
    await store.commit(agentId, fullCommit(count, 'second'));
    // As a commit of state, of events, and of nothing but the rest.
    await store.commit(agentId, { messages: [user('x')], events: [event('control', 'a')] });
    await store.commit(agentId, { events: [event('control', 'a'), event('monitor', 'b')] });
    await store.commit(agentId, { todos: { todos: [] } });
    await store.saveTodos(agentId, { todos: ['a'], version: 7, updatedAt: new Date() });
    await store.appendMessages(agentId, conversation(2));
  }
  await other.saveInfo('named', { userId: 'somebody' });
  await expectFailure(AgentExistsError, store.commit('named', { info: {}, expectedVersion: 0 }));
  await expectFailure(VersionConflictError, store.commit('named', { messages: [], expectedVersion: 9 }));
}

async function driveInfo(stores: Stores): Promise<void> {
  const { store, other } = stores;
  await createAgent(store, 'info', conversation(2), { metadata: { a: 1, b: 'two' } });
  const given: AgentInfoInput = {
    templateId: 'template',
    userId: 'user',
    configVersion: '2',
    lineage: ['somebody'],
    parentAgentId: 'parent',
    parentToolCallId: 'call',
    metadata: { b: 'two', c: [true] },
  };
  for (const [key, value] of Object.entries(given)) await store.saveInfo('info', { [key]: value });
  await store.saveInfo('info', given);
  await store.saveInfo('info', { status: 'idle', breakpoint: 'b', lastBookmark: { seq: 1, timestamp: 2 } });
  await other.saveInfo('info', { metadata: {} });
  // What can't be read says nothing of the rows that were made of it.
  await stores.tamper("UPDATE {agents} SET metadata = '{' WHERE agent_id = $1", ['info']);
  await store.saveInfo('info', { metadata: { a: 2 } });
}

async function driveCalls(stores: Stores): Promise<void> {
  const { store } = stores;
  await createAgent(store, 'calls', [user('go'), asks('a', 'b', 'c', 'd')]);
  await store.saveToolCallRecords('calls', [{ toolCallId: 'a', state: 'executing' }]);
  await store.commit('calls', {
    toolCalls: [
      { toolCallId: 'a', state: 'completed', output: 1 },
      { toolCallId: 'b', state: 'completed' },
      { toolCallId: 'new', toolName: 'search', input: {} },
      { toolCallId: 'newer', toolName: 'search', input: {} },
    ],
  });
  await store.appendMessages('calls', [answers('a', 'b')]);
  // What this store doesn't remember of the calls it looks up, in a long conversation on several branches, too.
  await withFresh(stores, async (fresh) => {
    await fresh.saveToolCallRecords('calls', [
      { toolCallId: 'c', state: 'executing' },
      { toolCallId: 'd', callSeq: 3, state: 'failed', error: 'no' },
    ]);
    await fresh.saveToolCallRecords('fork-of-fork', [
      { toolCallId: 'call-0-5', durationMs: 7 },
      { toolCallId: 'call-0-0', callSeq: 0, durationMs: 8 },
    ]);
    await fresh.appendMessages('calls', [answers('c', 'd')]);
  });
}

async function driveOperations(stores: Stores): Promise<void> {
  const { store } = stores;
  await createAgent(store, 'operations', conversation(2));
  const change: TurnCommit = { messages: [user('once')], operationId: 'once' };
  const events: TurnCommit = { events: [event('progress', 'a')], operationId: 'events' };
  for (const commit of [change, events]) {
    await store.commit('operations', commit);
    await store.commit('operations', commit);
    await withFresh(stores, (fresh) => fresh.commit('operations', commit));
  }
  // Long ago, and so many versions later.
  await stores.tamper('UPDATE {operations} SET created_at = 0 WHERE operation_id = $1', ['once']);
  await stores.tamper(
    'UPDATE {heads} SET version = 2047 WHERE agent = (SELECT agent FROM {directory} WHERE agent_id = $1)',
    ['operations'],
  );
  await withFresh(stores, (fresh) =>
    fresh.commit('operations', { messages: [user('x')], operationId: 'late' }),
  );
}

/** Each of two processes is overtaken by the other. */
async function driveRaces({ store, other }: Stores): Promise<void> {
  await createAgent(store, 'raced', conversation(2));
  for (const writer of [other, store, other, store]) {
    await writer.appendMessages('raced', [user('mine')]);
    await writer.commit('raced', { events: [event('monitor', 'mine')], operationId: `${Math.random()}` });
    await writer.commit('raced', { snapshot: { id: 's' } });
  }
}

async function driveDocuments(stores: Stores): Promise<void> {
  const { store } = stores;
  for (const kind of DOCUMENT_KINDS) {
    for (const name of ['a', 'b']) await store.saveDocument('full-1', { kind, name, content: { name } });
    await store.loadDocument('full-1', kind, 'a');
    await store.listDocuments('full-1', kind);
    await store.deleteDocument('full-1', kind, 'b');
  }
  await withFresh(stores, (fresh) => fresh.loadDocument('full-1', 'media-cache', 'a'));
  await withFresh(stores, (fresh) => fresh.listDocuments('full-1', 'media-cache'));
}
