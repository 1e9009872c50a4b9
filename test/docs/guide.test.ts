import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { readMarkdown } from './markdown.ts';
import { type SamplesServer, startSamplesServer } from './postgres.ts';
import { type Failures, layOut, root, runSamples, type Sample, typeErrors } from './samples.ts';

// The samples of the database guide that lies beside the repository. They run as they are written: the
// names that their page presupposes come from `surroundings`, checks are added below them, and the
// connections that they make to port 5432 reach a server of the tests' own.

const guide = join(root, '..', 'shared', 'guide.md');

interface Treatment {
  heading: string;
  /** What the sample must have done. */
  check?: string;
  before?: string;
  /** For a sample that abbreviates: what stands for its `...`. */
  spellOut?: [abbreviated: string, whole: string][];
}

/** Every sample of the guide, in its order. */
const TREATMENTS: Treatment[] = [
  {
    heading: '使用工厂函数（推荐）',
    check: `for (const one of [store, sqliteStore, postgresStore]) assert.ok((await one.healthCheck()).healthy);
      assert.equal(postgresStore.constructor.name, 'PostgresStore');
      assert.equal(sqliteStore.constructor.name, 'SqliteStore');`,
  },
  {
    heading: '直接使用类',
    check: 'for (const one of [sqliteStore, postgresStore]) assert.ok((await one.healthCheck()).healthy);',
  },
  {
    heading: '与 Agent 配合使用',
    check: `const after = await createExtendedStore();
      const stored = await after.loadMessages(agent.agentId);
      assert.deepEqual(stored.map(({ role }) => role), ['user', 'assistant']);
      assert.equal((await after.loadInfo(agent.agentId))?.templateId, 'assistant');
      await (await after.acquireAgentLock(agent.agentId)).release();
      await after.close();`,
  },
  {
    heading: '会话查询：`querySessions()`',
    check: `assert.deepEqual(sessions.map((one) => [one.agentId, one.messageCount]), [['agt-abc123', 236], ['agt-old', 1]]);
      assert.ok(sessions[0]?.createdAt instanceof Date);`,
  },
  {
    heading: '消息查询：`queryMessages()`',
    check: 'assert.deepEqual(messages.map((one) => one.seq), [3, 1]);',
  },
  {
    heading: '工具调用查询：`queryToolCalls()`',
    check: "assert.deepEqual(toolCalls.map((one) => one.toolCallId), ['call_2']);",
  },
  {
    heading: '统计聚合：`aggregateStats()`',
    check: `assert.deepEqual([stats.totalMessages, stats.totalToolCalls, stats.totalSnapshots], [236, 4, 1]);
      assert.deepEqual(stats.toolCallsByState, { completed: 2, failed: 1, approval_required: 1 });`,
  },
  { heading: '使用分页', check: 'assert.equal(offset, 300);' },
  { heading: '使用时间过滤', check: 'assert.equal(messages.length, 100);' },
  {
    heading: 'PostgreSQL 连接池配置',
    before: "import { createExtendedStore } from '@shareai-lab/kode-sdk';",
    check: 'assert.ok((await store.healthCheck()).healthy);',
  },
  {
    heading: 'SQLite：数据库锁定',
    before: `import Database from 'better-sqlite3';
      import { SqliteStore } from '@shareai-lab/kode-sdk';
      const open = await new SqliteStore('./agents.db').open();`,
    check: `assert.equal(db.pragma('journal_mode', { simple: true }), 'wal');
      assert.ok((await open.healthCheck()).healthy);`,
  },
  {
    heading: 'PostgreSQL：连接数过多',
    before: "import { createExtendedStore } from '@shareai-lab/kode-sdk';",
    check: 'assert.ok((await store.healthCheck()).healthy);',
  },
  {
    heading: '常见问题',
    before: "import { createExtendedStore } from '@shareai-lab/kode-sdk';",
    spellOut: [
      ["{ type: 'postgres', ... }", "{ type: 'postgres' }"],
      ["{ type: 'sqlite', ... }", "{ type: 'sqlite' }"],
    ],
    check: `assert.equal(store.constructor.name, process.env.NODE_ENV === 'production' ? 'PostgresStore' : 'SqliteStore');
      assert.ok((await store.healthCheck()).healthy);`,
  },
  { heading: '常见问题', check: "assert.deepEqual(await store.list(), ['agt-new']);" },
];

const PRESUPPOSED = ['store', 'agentId', 'config', 'processMessages', 'provider'];
const BACKENDS: Record<string, Record<string, string>> = {
  sqlite: { KODE_STORE_TYPE: 'sqlite', NODE_ENV: 'development' },
  postgres: { KODE_STORE_TYPE: 'postgres', NODE_ENV: 'production' },
};

if (existsSync(guide)) describeGuide();
else {
  describe('the database guide', () => {
    it('lies beside the repository where its samples are run, and not here', () => {
      expect(existsSync(guide)).toBe(false);
    });
  });
}

function describeGuide(): void {
  const blocks = readMarkdown(guide).blocks.filter(({ language }) => /^(ts|typescript)$/.test(language));
  const samples = blocks.flatMap((block, i): Sample[] => {
    const treatment = TREATMENTS[i];
    return treatment ? [sampleOf(`${block.line}: ${block.heading}`, block.text, treatment)] : [];
  });

  describe("the database guide's samples", () => {
    let folder = '';
    let server: SamplesServer | undefined;

    beforeAll(async () => {
      folder = await makeTemporaryDirectory();
      server = await startSamplesServer('password');
    });
    afterAll(async () => {
      await server?.stop();
      await removeDirectory(folder);
    });

    it('are those that are known here', () => {
      expect(blocks.map((block) => block.heading)).toEqual(TREATMENTS.map(({ heading }) => heading));
    });

    describe.each(Object.entries(BACKENDS))('on %s', (backend, env) => {
      let failures: Failures = {};

      beforeAll(async () => {
        const place = join(folder, backend);
        await layOut(place, samples);
        failures = await runSamples(place, samples, { ...server?.env, ...env });
      }, 120_000);

      it.each(samples.map(({ name }) => name))('line %s', (name) => {
        expect(failures[name]).toBeUndefined();
      });
    });

    it('have the types that they need', async () => {
      const place = join(folder, 'types');
      await layOut(place, samples);
      expect(await typeErrors(place)).toBe('');
    }, 60_000);
  });
}

function sampleOf(name: string, text: string, { before = '', check = '', spellOut = [] }: Treatment): Sample {
  let code = text;
  for (const [abbreviated, whole] of spellOut) {
    if (!code.includes(abbreviated)) throw new Error(`Line ${name}: there is no ${abbreviated}`);
    code = code.replace(abbreviated, whole);
  }
  return {
    name,
    code,
    presupposes: PRESUPPOSED,
    before: `import assert from 'node:assert/strict';\n${before}`,
    after: check,
  };
}
