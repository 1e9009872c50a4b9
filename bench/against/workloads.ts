import type { ExtendedStore, Message } from '../../src/index.ts';
import type { Generator } from '../generator.ts';
import { playAgent } from '../played-agent.ts';
import type { BackendName } from '../result.ts';
import { answered, type Turn } from '../turns.ts';
import { build, METADATA } from '../workload.ts';

/** A package, as its users import it. */
export type Package = typeof import('../../src/index.ts');

/** What both sides get, each its own. */
export interface Kit {
  package: Package;
  /** JSON files have less, and are given no workload that asks for more. */
  store: ExtendedStore;
  turns: Generator;
  size(full: number, quick: number): number;
  /** A name that was never given. */
  name(): string;
}

export interface AgainstWorkload {
  name: string;
  backends?: readonly BackendName[];
  /** Once. */
  prepare?(kit: Kit): Promise<unknown>;
  /** Makes a round ready, and gives what is timed and counted. */
  round(kit: Kit): Promise<() => Promise<unknown>> | (() => Promise<unknown>);
}

const SQL: readonly BackendName[] = ['sqlite', 'postgres'];
const TIMES = Array.from({ length: 10 }, (_, n) => n);

/** With public calls only, so that it runs with any version. */
export const AGAINST: readonly AgainstWorkload[] = [
  {
    name: 'create',
    round: (kit) => async () => {
      for (const _ of TIMES) {
        const info = { templateId: 'assistant', userId: 'u', metadata: METADATA };
        await kit.store.commit(kit.name(), { info, expectedVersion: 0 });
      }
    },
  },
  {
    name: 'turn-commit',
    prepare: (kit) => conversation(kit, 'turns', 20),
    round: (kit) => {
      const turns = TIMES.map(() => kit.turns.nextWithCall());
      return async () => {
        for (const turn of turns) await kit.store.commit('turns', turn);
      };
    },
  },
  {
    name: 'fenced-commit',
    prepare: (kit) => conversation(kit, 'fenced', 20),
    async round(kit) {
      const turns = TIMES.map(() => kit.turns.nextWithCall());
      const lease = await kit.store.acquireAgentLock('fenced');
      return async () => {
        for (const turn of turns) {
          await kit.store.commit('fenced', { ...turn, lease, operationId: kit.name() });
        }
        await lease.release();
      };
    },
  },
  {
    name: 'events-awaited',
    prepare: (kit) => conversation(kit, 'awaited', 2),
    round: (kit) => async () => {
      for (const _ of TIMES) {
        for (const n of TIMES)
          await kit.store.appendEvent('awaited', { channel: 'progress', type: 'tick', n });
      }
    },
  },
  {
    name: 'events-at-once',
    prepare: (kit) => conversation(kit, 'at-once', 2),
    round: (kit) => {
      const events = Array.from({ length: kit.size(1_000, 50) }, (_, n) => n);
      return () =>
        Promise.all(
          events.map((n) => kit.store.appendEvent('at-once', { channel: 'progress', type: 'tick', n })),
        );
    },
  },
  {
    name: 'read-events',
    async prepare(kit) {
      await conversation(kit, 'read', 2);
      for (let n = 0; n < kit.size(2_000, 50); n += 1) {
        await kit.store.appendEvent('read', { channel: 'progress', type: 'text', text: kit.turns.text(60) });
      }
    },
    round: (kit) => async () => {
      for await (const _ of kit.store.readEvents('read'));
    },
  },
  {
    name: 'save-messages-unchanged',
    prepare: (kit) => conversation(kit, 'whole', 1_000),
    async round(kit) {
      const messages = await kit.store.loadMessages('whole');
      return () => kit.store.saveMessages('whole', messages);
    },
  },
  {
    name: 'save-messages-one-more',
    prepare: (kit) => conversation(kit, 'more', 1_000),
    async round(kit) {
      const messages = [...(await kit.store.loadMessages('more')), question(kit)];
      return () => kit.store.saveMessages('more', messages);
    },
  },
  {
    name: 'save-messages-rewritten',
    prepare: (kit) => conversation(kit, 'rewritten', 200),
    async round(kit) {
      const messages = (await kit.store.loadMessages('rewritten')).slice(0, -5);
      const changed = [...messages, ...TIMES.slice(0, 5).map(() => question(kit))];
      return () => kit.store.saveMessages('rewritten', changed);
    },
  },
  {
    name: 'load-agent',
    prepare: (kit) => conversation(kit, 'load', 1_000),
    round: (kit) => () => kit.store.loadAgent('load'),
  },
  {
    name: 'load-messages',
    prepare: (kit) => conversation(kit, 'messages', 1_000),
    round: (kit) => () => kit.store.loadMessages('messages'),
  },
  {
    name: 'fork',
    prepare: (kit) => conversation(kit, 'forked', 100),
    round: (kit) => async () => {
      for (const _ of TIMES) await kit.store.fork('forked', { agentId: kit.name() });
    },
  },
  {
    name: 'fork-earlier',
    prepare: (kit) => conversation(kit, 'forked-earlier', 100),
    round: (kit) => async () => {
      for (const n of TIMES) await kit.store.fork('forked-earlier', { agentId: kit.name(), at: 10 + n });
    },
  },
  {
    name: 'batch-fork',
    backends: SQL,
    prepare: (kit) => conversation(kit, 'forked-often', 100),
    round: (kit) => () => kit.store.batchFork('forked-often', kit.size(100, 5)),
  },
  {
    name: 'delete-fork',
    prepare: (kit) => conversation(kit, 'deleted', 100),
    async round(kit) {
      const forks: string[] = [];
      for (const _ of TIMES) forks.push(await kit.store.fork('deleted', { agentId: kit.name() }));
      for (const fork of forks) await kit.store.appendMessages(fork, [question(kit)]);
      return async () => {
        for (const fork of forks) await kit.store.delete(fork);
      };
    },
  },
  {
    name: 'snapshot',
    prepare: (kit) => conversation(kit, 'snapshots', 100),
    round: (kit) => async () => {
      for (const _ of TIMES) await kit.store.commit('snapshots', { snapshot: { id: kit.name() } });
    },
  },
  {
    name: 'lease',
    prepare: (kit) => conversation(kit, 'leased', 2),
    round: (kit) => async () => {
      for (const _ of TIMES) await (await kit.store.acquireAgentLock('leased')).release();
    },
  },
  {
    name: 'approval',
    prepare: (kit) => conversation(kit, 'approved', 2),
    async round(kit) {
      const toolCallId = kit.name();
      await kit.store.commit('approved', {
        messages: [
          { role: 'assistant', content: [{ type: 'tool_use', id: toolCallId, name: 'pay', input: {} }] },
        ],
        toolCalls: [{ toolCallId, state: 'approval_required' }],
      });
      return () => kit.store.decideApproval('approved', toolCallId, { decision: 'allow', by: 'ana' });
    },
  },
  {
    name: 'todos-and-documents',
    prepare: (kit) => conversation(kit, 'documents', 2),
    round: (kit) => async () => {
      await kit.store.saveTodos('documents', { todos: [{ text: 'one' }] });
      await kit.store.saveDocument('documents', {
        kind: 'history-window',
        name: 'notes',
        content: { text: 'two' },
      });
      await kit.store.loadDocument('documents', 'history-window', 'notes');
    },
  },
  {
    name: 'queries',
    backends: SQL,
    prepare: (kit) => conversation(kit, 'asked', 200),
    round: (kit) => async () => {
      await kit.store.querySessions({ templateId: 'assistant', limit: 50 });
      await kit.store.querySessions({ metadata: { tier: 'gold' }, limit: 50 });
      await kit.store.queryMessages({ agentId: 'asked', role: 'assistant', limit: 50 });
      await kit.store.queryMessages({ contentType: 'tool_use', limit: 50 });
      await kit.store.queryToolCalls({ isError: true, limit: 50 });
      await kit.store.aggregateStats('asked');
    },
  },
  {
    name: 'agent',
    async round(kit) {
      const turns: Turn[] = TIMES.slice(0, 3).map(() => answered(kit.turns.nextWithCall()));
      return () => playAgent(kit.store, kit.name(), turns, kit.package);
    },
  },
];

async function conversation(kit: Kit, agentId: string, length: number): Promise<void> {
  await build({ store: kit.store }, agentId, kit.turns, Math.min(length, kit.size(length, 20)));
}

function question({ turns }: Kit): Message {
  return { role: 'user', content: [{ type: 'text', text: turns.text(200) }] };
}
