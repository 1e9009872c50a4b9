import { createExtendedStore } from '../../src/store/factory.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { sampleModel } from './model.ts';

/** What samples that don't open a store themselves find. */
export interface Surroundings {
  store: ExtendedStore;
  /** An agent of 236 messages and 4 tool calls: two completed, one failed, one that awaits approval. */
  agentId: string;
  /** A connection to PostgreSQL. */
  config: { host: string; port: number; database: string; user: string; password: string };
  processMessages(messages: readonly unknown[]): void;
  /** A language model. */
  provider: ReturnType<typeof sampleModel>;
}

const AGENT_ID = 'agt-abc123';
const DAY_MS = 24 * 60 * 60 * 1_000;

/** The store that the environment names, with three agents and nothing else in it. Samples import this. */
export async function surroundings(): Promise<Surroundings> {
  const store = await createExtendedStore();
  for (const id of await store.list()) await store.delete(id);
  await addAgent(store);
  await addOldAgent(store);
  await store.saveInfo('agt-new', { templateId: 'reviewer', status: 'running' });
  return {
    store,
    agentId: AGENT_ID,
    config: {
      host: 'localhost',
      port: 5432,
      database: 'kode_agents',
      user: 'kode',
      password: process.env.POSTGRES_PASSWORD ?? '',
    },
    processMessages: () => undefined,
    provider: sampleModel(),
  };
}

async function addAgent(store: ExtendedStore): Promise<void> {
  await store.commit(AGENT_ID, {
    info: { templateId: 'chat-assistant', userId: 'ada', metadata: { customer: { tier: 'gold' } } },
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Where is the backup?' }] },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: 'call_1', name: 'fs_list', input: { path: '.' } },
          { type: 'tool_use', id: 'call_2', name: 'bash_run', input: { command: 'ls /backup' } },
          { type: 'tool_use', id: 'call_3', name: 'fs_list', input: { path: '/' } },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'call_1', content: 'agents.db' },
          { type: 'tool_result', tool_use_id: 'call_2', content: 'No such folder', is_error: true },
          { type: 'tool_result', tool_use_id: 'call_3', content: 'backups' },
        ],
      },
      {
        role: 'assistant',
        content: [{ type: 'tool_use', id: 'call_4', name: 'send_mail', input: { to: 'ops' } }],
      },
      { role: 'user', content: [{ type: 'text', text: 'Wait.' }] },
      ...Array.from({ length: 231 }, (_, i) => ({
        role: i % 2 === 0 ? ('assistant' as const) : ('user' as const),
        content: [{ type: 'text', text: `Message ${i}` }],
      })),
    ],
    toolCalls: [
      { toolCallId: 'call_1', state: 'completed', output: ['agents.db'], durationMs: 12 },
      { toolCallId: 'call_2', state: 'failed', error: 'No such folder', durationMs: 7 },
      { toolCallId: 'call_3', state: 'completed', output: ['backups'], durationMs: 5 },
      { toolCallId: 'call_4', state: 'approval_required' },
    ],
    usage: [{ model: 'small-model', inputTokens: 900, outputTokens: 70, latencyMs: 800 }],
    events: [{ channel: 'progress', type: 'done' }],
    snapshot: { id: 'before-mail', lastSfpIndex: 4 },
    expectedVersion: 0,
  });
}

async function addOldAgent(store: ExtendedStore): Promise<void> {
  const created = new Date(Date.now() - 200 * DAY_MS);
  await store.commit('agt-old', {
    info: { templateId: 'chat-assistant', createdAt: created },
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Long ago' }] }],
    at: created,
    expectedVersion: 0,
  });
}
