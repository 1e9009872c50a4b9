import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Script } from '../../examples/support/scripted-model.ts';
import { clerkScript } from '../../examples/tour/script.ts';
import { createExtendedStore, type ExtendedStore } from '../../src/index.ts';
import { startProvider } from '../agent/provider/provider.ts';
import { spawnKode } from '../cli/kode.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { type Ended, isAlive, processesIn, start } from './run.ts';
import { startScriptedProvider } from './scripted-provider.ts';

/** A tour takes ten seconds on a machine that does nothing else. */
const PATIENCE_MS = 120_000;

let directory: string;
beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});
afterEach(() => removeDirectory(directory));

/** What `npm start` runs, in a folder of the test's own. */
function npmStart(env: Record<string, string> = {}, args: string[] = []) {
  return start('scripts/start.mjs', args, directory, env);
}

/** What that starts, without the loader of its source. */
async function tourWith(env: Record<string, string>): Promise<Ended> {
  return (await start('examples/tour.ts', [], directory, { ...env, KODE_STORE_TYPE: 'sqlite' })).ended;
}

/** The same with a real provider's package, which asks a server of the test's. */
async function tourAsking(script: Script): Promise<Ended> {
  const provider = await startScriptedProvider(script);
  try {
    return await tourWith({ ANTHROPIC_API_KEY: 'key', ANTHROPIC_BASE_URL: `${provider.url}/v1` });
  } finally {
    await provider.stop();
  }
}

function read(agentId: string, path: string): Promise<string> {
  return readFile(join(directory, 'data', 'tour', agentId, path), 'utf8');
}

/** What every complete tour leaves, whichever model it went with. */
async function checkTour({ code, stdout, stderr }: Ended, store: ExtendedStore): Promise<void> {
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' });
  expect(processesIn(stdout).length).toBeGreaterThanOrEqual(5);
  expect(processesIn(stdout).filter(isAlive)).toEqual([]);
  expect(stdout).toMatch(/Process \d+ is dead\. printed\.txt: \d labels/);
  expect(stdout).toContain('The database says: print_labels is executing.');
  expect(stdout).toContain('printed.txt: 5 labels (1041, 1042, 1043, 1044, 1045)');

  const agentId = /Agent: (\S+)\./.exec(stdout)?.[1] ?? '';
  const [agent, fork, ...others] = await store.querySessions({ metadata: { tour: agentId }, order: 'asc' });
  expect(agent).toMatchObject({ agentId, templateId: 'clerk', status: 'idle', lineage: [] });
  expect(fork).toMatchObject({ templateId: 'clerk', status: 'idle', lineage: [agentId] });
  expect(others).toEqual([]);
  const forkId = fork?.agentId ?? '';

  // What was executing when its process was killed is sealed; nothing was printed twice.
  const labels = (await store.queryToolCalls({ agentId, toolName: 'print_labels', order: 'asc' })).map(
    ({ state }) => state,
  );
  expect(labels).toEqual(['sealed', 'completed']);
  expect((await read(agentId, 'printed.txt')).match(/^\d+/gm)).toEqual([
    '1041',
    '1042',
    '1043',
    '1044',
    '1045',
  ]);

  // One decision each, and what follows from it.
  expect(await store.queryToolCalls({ agentId, hasApproval: true })).toMatchObject([
    { toolName: 'refund', state: 'completed', approval: { decidedBy: 'Ana' } },
  ]);
  expect(await store.queryToolCalls({ agentId: forkId, hasApproval: true })).toMatchObject([
    { toolName: 'refund', state: 'denied', approval: { decidedBy: 'Ben' } },
  ]);
  expect(await read(agentId, 'refunds.txt')).toBe('1043: 18.50\n');
  await expect(read(forkId, 'refunds.txt')).rejects.toThrow('ENOENT');
  expect(await read(agentId, 'replies/1043.txt')).toContain('your money is on its way back');
  expect(await read(forkId, 'replies/1043.txt')).toContain('a new print is on its way');

  expect(stdout).toContain('pending → executing → sealed');
  expect(stdout).toContain('decided by Ana');
  expect(stdout).toContain(`$ npx kode sessions --metadata tour=${agentId}`);
  expect(await store.checkConsistency()).toMatchObject({ consistent: true });
}

describe('npm start', () => {
  test(
    'tells the whole story without a key, and again over the same database with a real provider',
    async () => {
      const first = await (await npmStart()).ended;
      await using store = await createExtendedStore({
        type: 'sqlite',
        dbPath: join(directory, 'data', 'agents.db'),
      });
      expect(first.stdout).toContain('Model: a script');
      await checkTour(first, store);

      const kode = await spawnKode(['stats'], directory);
      expect(kode).toMatchObject({ code: 0, stderr: '' });

      const second = await tourAsking(clerkScript);
      expect(second.stdout).toContain('of Anthropic, because ANTHROPIC_API_KEY is set');
      await checkTour(second, store);
      expect(await store.querySessions()).toHaveLength(4);
    },
    PATIENCE_MS,
  );

  test.each<[string, Script]>([
    ['does nothing', () => ({ text: 'I would rather not.' })],
    ['asks for refunds only', () => ({ calls: [{ tool: 'refund', input: { order: 1043, amount: 1 } }] })],
  ])(
    'copes with a model that %s',
    async (_, script) => {
      const { code, stdout, stderr } = await tourAsking(script);
      // kode's word when there is nothing to list.
      const errors = stderr.replace('No tool calls match.\n', '');
      expect({ code, errors }, stdout).toEqual({ code: 0, errors: '' });
      expect(stdout).toContain('there was nothing to kill');
      expect(stdout).toContain('The agent wrote: nothing');
      expect(stdout).toContain('Look further yourself:');
    },
    PATIENCE_MS,
  );

  test('says what is wrong when the provider refuses', async () => {
    const provider = await startProvider('anthropic', () => ({ status: 401, message: 'no such key' }));
    const env = { ANTHROPIC_API_KEY: 'wrong', ANTHROPIC_BASE_URL: `${provider.url}/v1` };
    const { code, stderr } = await tourWith(env);
    await provider.stop();
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^The tour broke off: .*no such key.*$/);
  });

  test('leaves no process behind when it is killed', async () => {
    const tour = await npmStart({ KODE_SQLITE_PATH: join(directory, 'own.db') });
    await tour.printed('print_labels');
    tour.kill();
    // Its output ends when the last of those who write to it has ended, which is before the tour's end.
    const { stdout } = await tour.ended;
    expect(processesIn(stdout)).toHaveLength(2);
    expect(stdout).not.toContain('All labels are printed');
    await using store = await createExtendedStore({ type: 'sqlite', dbPath: join(directory, 'own.db') });
    expect(await store.querySessions()).toMatchObject([{ templateId: 'clerk', status: 'running' }]);
  });

  test('imports a file that it is given', async () => {
    const file = join(import.meta.dirname, '../../examples/data/transcript.json');
    const { code, stdout, stderr } = await (await npmStart({}, [file])).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('$ npx kode import');
    expect(stdout).toContain('library-renewal');
    const missing = await (await npmStart({}, [join(directory, 'missing.json')])).ended;
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toContain('Usage: npm start [-- FILE]');
  });
});
