import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { readConversations } from '../../src/cli/conversation-file.ts';
import { planImport } from '../../src/cli/import-plan.ts';
import { runImport } from '../../src/cli/import-run.ts';
import type { AgentInfo } from '../../src/model/agent.ts';
import { createExtendedStore } from '../../src/store/factory.ts';
import type { ExtendedStore } from '../../src/store/store.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { kode, kodeJson, spawnKode, spawnKodeJson, startKode } from './kode.ts';
import { expectStored } from './stored-transcripts.ts';
import { ownPath } from './transcripts.ts';

interface Summary {
  agents: number;
  messages: number;
  toolCalls: number;
  skipped: number;
  complete: number;
  invalid: { conversation: number; message?: number; text: string }[];
  seconds: number;
}

const FORMAT = ['--format', 'openai-chat'];
const OWN = { agents: 3, messages: 24, toolCalls: 7, skipped: 0, complete: 0, invalid: [] };
const DONE = { agents: 0, messages: 0, toolCalls: 0, skipped: 3, complete: 3, invalid: [] };

let folder = '';
let flags: string[] = [];

beforeEach(async () => {
  folder = await makeTemporaryDirectory();
  flags = ['--db', join(folder, 'agents.db')];
  onTestFinished(() => removeDirectory(folder));
});

async function openStore(): Promise<ExtendedStore> {
  const store = await createExtendedStore({
    type: 'sqlite',
    dbPath: join(folder, 'agents.db'),
    fileStoreBaseDir: join(folder, 'store'),
  });
  onTestFinished(() => store.close());
  return store;
}

function importFile(file: string, ...more: string[]): Promise<Summary> {
  return kodeJson<Summary>(['import', file, ...FORMAT, ...flags, ...more]);
}

function sessions(...more: string[]): Promise<AgentInfo[]> {
  return kodeJson<AgentInfo[]>(['sessions', ...flags, ...more]);
}

async function writeConversations(conversations: unknown): Promise<string> {
  const file = join(folder, 'conversations.json');
  await writeFile(file, JSON.stringify(conversations));
  return file;
}

const hello = { role: 'user', content: 'hello' };

describe('kode import', () => {
  it('stores every message and call, once', async () => {
    expect(await importFile(ownPath)).toMatchObject(OWN);
    await expectStored(await openStore(), ownPath);
    expect(await importFile(ownPath)).toMatchObject(DONE);
    await expectStored(await openStore(), ownPath);
  });

  it('tells people what it did, without a bar where nobody watches', async () => {
    const first = await spawnKode(['import', ownPath, ...FORMAT, ...flags], folder);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^Imported 3 agents, 24 messages and 7 tool calls in \d+\.\d s\.\n$/);
    const second = await kode(['import', ownPath, ...FORMAT, ...flags]);
    expect(second.stdout).toMatch(
      /Imported 0 agents, .*\nSkipped 3 conversations: 3 stored before, 0 invalid\.\n$/,
    );
  });

  it('gives agents template, prefix and what the file says about them', async () => {
    await importFile(ownPath, '--template', 'help-desk', '--prefix', 'lib-');
    const [agent, ...others] = await sessions('--template-id', 'help-desk', '--metadata', 'task_id=12');
    expect(others).toEqual([]);
    expect(agent?.agentId).toMatch(/^lib-task-12-trial-0-[0-9a-f]{12}$/);
    expect(agent?.status).toBe('idle');
    expect(agent?.metadata).toEqual({
      task_id: 12,
      trial: 0,
      topic: 'rooms',
      import: { format: 'openai-chat', file: 'transcript.json', position: 1 },
    });
    expect(await importFile(ownPath, '--prefix', 'other-')).toMatchObject(OWN);
  });

  it('uses the environment as the store does', async () => {
    const env = {
      KODE_STORE_TYPE: 'sqlite',
      KODE_SQLITE_PATH: 'deep/er/agents.db',
      KODE_STORE_PATH: 'files',
    };
    expect(await spawnKodeJson(['import', ownPath, ...FORMAT], folder, env)).toMatchObject(OWN);
    expect(await spawnKodeJson(['sessions'], folder, env)).toHaveLength(3);
    expect(await kodeJson(['sessions', '--db', join(folder, 'deep', 'er', 'agents.db')])).toHaveLength(3);
    expect(await readdir(join(folder, 'deep', 'er'))).toContain('agents.db');
    const other = { ...env, KODE_STORE_TYPE: 'postgres' };
    expect(await spawnKodeJson(['sessions', '--store', 'sqlite'], folder, other)).toHaveLength(3);
  });

  it('goes on where it stopped, after any commit', async () => {
    const store = await openStore();
    const conversations = await readConversations(ownPath);
    const options = { source: 'transcript.json', onMessage: () => undefined };
    for (let commits = 0; commits < OWN.messages; commits += 1) {
      for (const agentId of await store.list()) await store.delete(agentId);
      const first = await planImport(store, conversations, '');
      await expect(runImport(stopAfter(store, commits), first.agents, options)).rejects.toThrow('stopped');
      expect((await store.aggregateStats()).totalMessages).toBe(commits);
      const second = await planImport(store, conversations, '');
      const counts = await runImport(store, second.agents, options);
      expect(counts.messages).toBe(OWN.messages - commits);
      await expectStored(store, ownPath);
    }
  });

  it('goes on after its process was killed', async () => {
    const conversation = Array.from({ length: 40 }, (_, n) => ({
      role: n % 2 === 0 ? 'user' : 'assistant',
      content: `message ${n}`,
    }));
    const file = await writeConversations(
      Array.from({ length: 60 }, (_, n) => [
        { role: 'system', content: `conversation ${n}` },
        ...conversation,
      ]),
    );
    const running = await startKode(['import', file, ...FORMAT, ...flags], folder);
    const store = await openStore();
    while ((await store.aggregateStats()).totalMessages === 0) await setTimeout(10);
    running.kill();
    await running.ended;
    await importFile(file);
    await expectStored(store, file);
    expect(await store.checkConsistency()).toMatchObject({ consistent: true });
  });

  it('may run twice at the same moment', async () => {
    const args = ['import', ownPath, ...FORMAT, ...flags];
    await Promise.all([spawnKodeJson(args, folder), spawnKodeJson(args, folder)]);
    await expectStored(await openStore(), ownPath);
  });

  it('goes on with a conversation of the same id that has grown', async () => {
    const answer = { role: 'assistant', content: 'hi' };
    await importFile(await writeConversations([{ id: 'a', messages: [hello] }]));
    const grown = await writeConversations([{ id: 'a', messages: [hello, answer, hello] }]);
    expect(await importFile(grown)).toMatchObject({ agents: 1, messages: 2 });
    await expectStored(await openStore(), grown);
  });

  it('leaves an agent alone that was worked with since', async () => {
    const file = await writeConversations([{ id: 'a', messages: [hello] }]);
    await importFile(file);
    const store = await openStore();
    await store.appendMessages('a', [{ role: 'assistant', content: [{ type: 'text', text: 'hi' }] }]);
    expect(await importFile(file)).toMatchObject({ agents: 0, complete: 1 });
    expect(await store.loadMessages('a')).toHaveLength(2);
  });

  it('M1 takes ids of calls and names of tools as they come, empty and long ones too', async () => {
    const ids = ['', '', `call|${'s'.repeat(30_000)}`];
    const calls = ids.map((id) => ({ id, type: 'function', function: { name: '', arguments: '{}' } }));
    const file = await writeConversations([
      {
        messages: [
          { role: 'user', content: 'go' },
          { role: 'assistant', content: null, tool_calls: calls },
          ...ids.map((id, n) => ({ role: 'tool', tool_call_id: id, content: `result ${n}` })),
        ],
      },
    ]);
    expect(await importFile(file)).toMatchObject({ agents: 1, toolCalls: 3, invalid: [] });
    expect(await importFile(file)).toMatchObject({ agents: 0, complete: 1 });
    const store = await openStore();
    const calledBack = await store.loadToolCallRecords((await store.list())[0] ?? '');
    expect(calledBack.map(({ toolCallId, output }) => [toolCallId, output])).toEqual(
      ids.map((id, n) => [id, `result ${n}`]),
    );
    expect((await store.checkConsistency({ level: 'full' })).issues).toEqual([]);
  });

  it('reads JSONL', async () => {
    const file = join(folder, 'conversations.jsonl');
    await writeFile(
      file,
      [[hello], { messages: [hello] }].map((each) => `${JSON.stringify(each)}\n`).join(''),
    );
    expect(await importFile(file)).toMatchObject({ agents: 2, messages: 2 });
    expect((await sessions()).map((agent) => agent.agentId).sort()).toEqual([
      expect.stringMatching(/^chat-[0-9a-f]{12}$/),
      expect.stringMatching(/^chat-[0-9a-f]{12}~2$/),
    ]);
  });

  it('takes a file whose name is not ASCII', async () => {
    await copyFile(ownPath, join(folder, '对话 1.json'));
    expect(await importFile(join(folder, '对话 1.json'))).toMatchObject(OWN);
  });
});

describe('bad records', () => {
  const bad = [
    [hello, { role: 'robot', content: 'x' }],
    [hello],
    'text',
    { id: 'there', messages: [hello] },
    [{ role: 'tool', tool_call_id: 'a', content: 'x' }],
  ];
  const problems = [
    { conversation: 0, message: 1, text: 'role: expected system, developer, user, assistant or tool' },
    { conversation: 2, text: 'expected an array of messages or an object with them' },
    { conversation: 3, text: expect.stringMatching(/^agent "there" exists and holds another conversation/) },
    { conversation: 4, message: 0, text: 'tool_call_id: no call "a" waits for a result here' },
  ];

  beforeEach(async () => {
    await importFile(await writeConversations([{ id: 'there', messages: [{ ...hello, content: 'other' }] }]));
  });

  it('are reported by their position, and keep all of the file out', async () => {
    const file = await writeConversations(bad);
    const { code, stdout, stderr } = await kode(['import', file, ...FORMAT, ...flags]);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr.split('\n')).toEqual([
      'conversation 0, message 1: role: expected system, developer, user, assistant or tool',
      'conversation 2: expected an array of messages or an object with them',
      expect.stringMatching(/^conversation 3: agent "there" exists and holds another conversation/),
      'conversation 4, message 0: tool_call_id: no call "a" waits for a result here',
      expect.stringMatching(/^error: 4 bad records in 4 conversations of .*nothing was imported/),
      '',
    ]);
    expect((await sessions()).map((agent) => agent.agentId)).toEqual(['there']);
  });

  it('are left out, each with its conversation, on demand', async () => {
    const summary = await importFile(await writeConversations(bad), '--skip-invalid');
    expect(summary).toMatchObject({ agents: 1, messages: 1, skipped: 4, complete: 0, invalid: problems });
    expect(await sessions()).toHaveLength(2);
    const [message] = await (await openStore()).loadMessages('there');
    expect(message?.content).toEqual([{ type: 'text', text: 'other' }]);
  });
});

/** The store, until it has made so many commits. */
function stopAfter(store: ExtendedStore, commits: number): ExtendedStore {
  let left = commits;
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== 'commit') return value.bind(target);
      return async (...args: unknown[]) => {
        left -= 1;
        if (left < 0) throw new Error('stopped');
        return value.apply(target, args);
      };
    },
  });
}
