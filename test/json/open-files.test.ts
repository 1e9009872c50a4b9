import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { OpenFiles } from '../../src/json/open-files.ts';
import { bundle } from '../support/bundle.ts';
import { workspaces } from './helpers.ts';

const workspace = workspaces();

/** Runs the child under a limit of open files, and gives back what it printed. */
async function run(root: string, what: string, limit = 1_000): Promise<{ out: string; errors: string }> {
  const script = await bundle(new URL('./files.child.ts', import.meta.url));
  const command = `ulimit -n ${limit} && exec "$0" --expose-gc "$@"`;
  const child = spawn('sh', ['-c', command, process.execPath, script, root, what]);
  let [out, errors] = ['', ''];
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  await new Promise((resolve) => child.on('close', resolve));
  return { out: out.trim(), errors };
}

describe.skipIf(process.platform === 'win32')('open files', () => {
  it('J3 are no more than the limit, and whoever needs one more waits', async () => {
    const { root } = await workspace();
    await mkdir(root);
    const files = new OpenFiles(3);
    const kept = Array.from({ length: 10 }, (_, n) => files.keep(join(root, `${n}`), 'w+'));
    let most = 0;
    const use = async (n: number) => {
      await kept[n % 10]?.use(async (handle) => {
        most = Math.max(most, files.count);
        await handle.write('x');
      });
      await files.with(join(root, 'other'), 'a', async (handle) => {
        most = Math.max(most, files.count);
        await handle.write('y');
      });
    };
    for (let round = 0; round < 5; round += 1) await Promise.all(kept.map((_, n) => use(n)));
    expect(most).toBe(3);
    expect((await readFile(join(root, 'other'), 'utf8')).length).toBe(50);
    for (const file of kept) await file.close();
    expect(files.count).toBe(0);
  });

  it('J3 of many agents at once stay below what the process may have', async () => {
    const { root } = await workspace();
    expect(await run(root, 'many', 60)).toEqual({ out: '200 agents', errors: '' });
  });

  it('J3 that are used up by others are an error once, and not for ever', async () => {
    const { root } = await workspace();
    const { out, errors } = await run(root, 'used-up', 100);
    expect({ out: out.split('\n'), errors }).toEqual({
      out: ['opening: STORE_UNAVAILABLE', 'opened', 'wrote nevertheless', 'wrote 2'],
      errors: '',
    });
  });

  it('J3 of a store that nobody closed are no cause of warnings, and the lock is given back', async () => {
    const { root } = await workspace();
    expect(await run(root, 'unclosed')).toEqual({ out: 'done', errors: '' });
    expect((await readdir(root)).filter((name) => name.startsWith('lock'))).toEqual(['lock.1.free']);
  });
});
