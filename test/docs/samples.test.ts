import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startProvider, type TestProvider } from '../agent/provider/provider.ts';
import { spawnKode } from '../cli/kode.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { readDocuments } from './documents.ts';
import { type SamplesServer, startSamplesServer } from './postgres.ts';
import {
  type Failures,
  layOut,
  root,
  runSample,
  runSamples,
  type Sample,
  type SampleRun,
  typeErrors,
} from './samples.ts';

// Every sample in TypeScript runs in a module of its own. A sample that opens no store finds `store` and
// `agentId`, as its page says. PostgreSQL's samples reach the tests' server, under the user and password
// that the pages tell their readers to use.

const PASSWORD = 'change-me';
const BACKENDS = ['sqlite', 'postgres'];

const documents = readDocuments();
const samples = [...documents].flatMap(([path, { blocks }]) =>
  blocks.flatMap(({ language, text, line, heading }): Sample[] => {
    const sample = { name: `${path}:${line} (${heading})`, presupposes: ['store', 'agentId', 'provider'] };
    if (language === 'ts' || language === 'typescript') return [{ ...sample, code: text }];
    // Who grants privileges is another than who reads and writes: test/postgres/privileges.test.ts does.
    const grants = text.startsWith('CREATE ROLE');
    if (language === 'sql' && path.endsWith('database.md') && !grants) {
      return [{ ...sample, code: asking(text) }];
    }
    return [];
  }),
);

/** Asks the database itself, as its own shell would. */
function asking(sql: string): string {
  return `
    import Database from 'better-sqlite3';
    import pg from 'pg';
    await store.list();
    const query = ${JSON.stringify(sql)};
    if (process.env.KODE_STORE_TYPE === 'sqlite') new Database('./data/agents.db').prepare(query).all();
    else {
      const client = new pg.Client({ database: 'kode_agents', user: 'kode', password: '${PASSWORD}' });
      await client.connect();
      await client.query(query);
      await client.end();
    }`;
}

/** Samples that kill their own process, so that a second run goes on: they have processes of their own. */
const deadly = samples.filter(({ code }) => code.includes('SIGKILL'));
const harmless = samples.filter((sample) => !deadly.includes(sample));

let folder = '';
let server: SamplesServer | undefined;

let killed: Promise<SecondRun>[] = [];

beforeAll(async () => {
  folder = await makeTemporaryDirectory();
  // Their leases run out while the others run.
  killed = deadly.map((sample, i) => runTwice(join(folder, `killed-${i}`), sample));
  for (const runs of killed) runs.catch(() => undefined);
  server = await startSamplesServer(PASSWORD);
});
afterAll(async () => {
  await server?.stop();
  await Promise.allSettled(killed);
  await removeDirectory(folder);
});

describe("the documents' samples", () => {
  describe.each(BACKENDS)('with %s in the environment', (backend) => {
    let failures: Failures = {};

    beforeAll(async () => {
      const place = join(folder, backend);
      await layOut(place, harmless);
      failures = await runSamples(place, harmless, { ...server?.env, KODE_STORE_TYPE: backend });
    }, 240_000);

    it.each(harmless.map(({ name }) => name))('%s', (name) => {
      expect(failures[name]).toBeUndefined();
    });
  });

  it('have the types that they need', async () => {
    const place = join(folder, 'types');
    await layOut(place, samples);
    expect(await typeErrors(place)).toBe('');
  }, 60_000);
});

describe('samples that are killed', () => {
  it('are those of the first pages', () => {
    expect(deadly.map(({ name }) => name.split(':')[0])).toEqual(['README.md', 'README.zh-CN.md']);
  });

  it.each(deadly)(
    '$name goes on when it is run again',
    async (sample) => {
      const { first, second, requests } = (await killed[deadly.indexOf(sample)]) ?? {};
      expect(first).toEqual({ signal: 'SIGKILL', stdout: '', stderr: '' });
      expect(second).toMatchObject({ signal: null, stderr: '' });
      expect(second?.stdout).toContain('Order 1042 is refunded.');
      expect(second?.stdout).toMatch(/decidedBy: 'ana'/);
      expect(requests?.[1]?.body).toContain('order 1042 is refunded');
    },
    60_000,
  );
});

interface SecondRun {
  first: SampleRun;
  second: SampleRun;
  /** What both asked the provider. */
  requests: TestProvider['requests'];
}

async function runTwice(place: string, sample: Sample): Promise<SecondRun> {
  await layOut(place, [sample]);
  const provider = await startProvider('anthropic', [
    { pieces: [{ call: 'refund', input: { order: 1042 } }] },
    { pieces: [{ text: 'Order 1042 is refunded.' }] },
  ]);
  try {
    const env = { ANTHROPIC_BASE_URL: `${provider.url}/v1`, ANTHROPIC_API_KEY: 'test-key' };
    const first = await runSample(place, 0, env);
    return { first, second: await runSample(place, 0, env), requests: provider.requests };
  } finally {
    await provider.stop();
  }
}

describe.each(['README.md', 'README.zh-CN.md'])('the commands of %s', (path) => {
  const commands = (documents.get(path)?.blocks ?? [])
    .filter(({ language }) => language === 'bash')
    .flatMap(({ text }) => text.split('\n'))
    .flatMap((line) => /^(?:npx )?kode (.*)$/.exec(line)?.[1] ?? []);
  let place = '';

  beforeAll(async () => {
    place = await makeTemporaryDirectory();
    await symlink(join(root, 'examples'), join(place, 'examples'), 'junction');
  });
  afterAll(() => removeDirectory(place));

  it('show the import and the queries', () => {
    const verbs = commands.map((command) => command.split(' ')[0]);
    expect(new Set(verbs)).toEqual(new Set(['import', 'sessions', 'messages', 'tools', 'stats']));
  });

  it.each(commands)('kode %s', async (command) => {
    const { code, stdout, stderr } = await spawnKode(wordsOf(command), place);
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toBe('');
  });
});

/** As a shell splits them: blanks between, quotes around, a comment at the end. */
function wordsOf(command: string): string[] {
  const words = command.replace(/\s+#.*$/, '').match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  return words.map((word) => word.replace(/^(['"])(.*)\1$/, '$2'));
}
