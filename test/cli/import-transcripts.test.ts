import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { readConversations } from '../../src/cli/conversation-file.ts';
import { planImport } from '../../src/cli/import-plan.ts';
import { runImport } from '../../src/cli/import-run.ts';
import type { MessageRecord } from '../../src/model/message.ts';
import type { AgentToolCallRecord } from '../../src/model/tool-call.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import type { AgentStats } from '../../src/store/filters.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { type PostgresName, postgresDatabase } from '../support/postgres-database.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { kodeJson, spawnKodeJson, startKode } from './kode.ts';
import { expectStored, importedAgents } from './stored-transcripts.ts';
import { callsOf, originals, ownPath, readTranscripts, transcriptFiles } from './transcripts.ts';

const FORMAT = ['--format', 'openai-chat'];
/** Six thousand commits, each with a sync of its own on a slow disk. */
const LONG = 300_000;

describe.each(transcriptFiles)('$name on SQLite', ({ path, counts }) => {
  let folder = '';
  let flags: string[] = [];
  let store: ExtendedStore;

  beforeAll(async () => {
    folder = await makeTemporaryDirectory();
    flags = ['--db', join(folder, 'agents.db')];
    await spawnKodeJson(['import', path, ...FORMAT, ...flags], folder);
    store = await createExtendedStore({
      type: 'sqlite',
      dbPath: join(folder, 'agents.db'),
      fileStoreBaseDir: join(folder, 'store'),
    });
  }, LONG);
  afterAll(async () => {
    await store.close();
    await removeDirectory(folder);
  });

  it('is stored, every message and call, byte for byte', () => expectStored(store, path));

  it('is consistent', async () => {
    expect(await store.checkConsistency()).toMatchObject({ consistent: true, issues: [] });
  });

  it('comes back from kode messages', async () => {
    const args = ['messages', '--limit', '10000', '--order', 'asc', ...flags];
    const found = groupByAgent(await kodeJson<MessageRecord[]>(args));
    const conversations = await readTranscripts(path);
    for (const [index, agentId] of (await importedAgents(store)).entries()) {
      const messages = found.get(agentId)?.sort((a, b) => a.seq - b.seq) ?? [];
      expect(messages.flatMap(originals).map(contentOf)).toEqual(conversations[index]?.map(contentOf));
    }
  });

  it('comes back from kode tools, each call with its own output', async () => {
    const args = ['tools', '--limit', '10000', '--order', 'asc', ...flags];
    const found = groupByAgent(await kodeJson<AgentToolCallRecord[]>(args));
    const conversations = await readTranscripts(path);
    for (const [index, agentId] of (await importedAgents(store)).entries()) {
      const calls = found.get(agentId)?.sort((a, b) => a.callSeq - b.callSeq) ?? [];
      expect(calls.map((call) => [call.toolCallId, call.toolName, call.output])).toEqual(
        callsOf(conversations[index] ?? []).map(({ id, name, result }) => [id, name, result]),
      );
    }
  });

  it('is counted by kode stats', async () => {
    const calls = (await readTranscripts(path)).flatMap(callsOf);
    const failed = calls.filter((call) => call.result.startsWith('Error')).length;
    expect(await kodeJson<AgentStats>(['stats', ...flags])).toMatchObject({
      totalMessages: counts.stored,
      totalToolCalls: counts.toolCalls,
      toolCallsByState: { completed: calls.length - failed, failed },
    });
  });

  it('may be more than its reader wants to see', async () => {
    const args = ['messages', '--limit', '10000', '--json', ...flags];
    const running = await startKode(args, folder);
    expect(await running.closeEarly()).toEqual({ code: 0, stderr: '' });
  });

  it('is there once after another import', async () => {
    const summary = await kodeJson(['import', path, ...FORMAT, ...flags]);
    expect(summary).toMatchObject({ agents: 0, messages: 0, toolCalls: 0 });
    await expectStored(store, path);
  });
});

describe.each<PostgresName>(['postgres15', 'postgres18'])('%s', (server) => {
  const database = postgresDatabase(server);
  let folder = '';

  beforeAll(async () => {
    folder = await makeTemporaryDirectory();
  });
  afterAll(() => removeDirectory(folder));

  it.each(transcriptFiles)(
    'holds $name, every message and call, byte for byte',
    async ({ path }) => {
      const { url, createSchema, dropSchema } = await database();
      const schema = await createSchema();
      const store = new PostgresStore({ connectionString: url, max: 8 }, folder, { schema });
      try {
        const { agents } = await planImport(store, await readConversations(path), '');
        await runImport(store, agents, { source: 'transcripts.json', onMessage: () => undefined });
        await expectStored(store, path);
        expect(await store.checkConsistency()).toMatchObject({ consistent: true, issues: [] });
        const again = await planImport(store, await readConversations(path), '');
        expect(again).toEqual({ agents: [], complete: agents.length, bad: [] });
      } finally {
        await store.close();
        await dropSchema(schema);
      }
    },
    LONG,
  );

  // The command line uses the schema "public", which is the caller's on a server that the caller brought.
  const ownServer = inject(server).own ? ['a URL', 'the environment'] : [];
  it.each(ownServer)('is reached by the command line with %s', async (way) => {
    const { url } = await database();
    const { hostname, port, pathname, username } = new URL(url);
    const flags = way === 'a URL' ? ['--url', url] : [];
    const env = {
      KODE_STORE_TYPE: 'postgres',
      POSTGRES_HOST: hostname,
      POSTGRES_PORT: port,
      POSTGRES_DB: pathname.slice(1),
      POSTGRES_USER: username,
      POSTGRES_PASSWORD: 'unused',
    };
    const variables = way === 'a URL' ? {} : env;
    const prefix = way === 'a URL' ? 'url-' : 'env-';
    const args = ['import', ownPath, ...FORMAT, '--prefix', prefix, ...flags];
    expect(await spawnKodeJson(args, folder, variables)).toMatchObject({
      agents: 3,
      messages: 24,
      toolCalls: 7,
    });
    const calls = await spawnKodeJson(['tools', `${prefix}library-renewal`, ...flags], folder, variables);
    expect(calls).toHaveLength(3);
  });
});

function groupByAgent<Row extends { agentId: string }>(rows: Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.agentId, [...(groups.get(row.agentId) ?? []), row]);
  return groups;
}

/** Without what only one side has. */
function contentOf(message: unknown): unknown {
  const { role, content } = message as { role: string; content: unknown };
  return { role, content };
}
