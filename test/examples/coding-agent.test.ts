import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { WorkDirectory } from '../../examples/coding-agent/work-directory.ts';
import { createExtendedStore } from '../../src/index.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';
import { start } from './run.ts';

let base: string;
beforeEach(async () => {
  base = await makeTemporaryDirectory();
});
afterEach(() => removeDirectory(base));

describe('the work directory', () => {
  const OUTSIDE = 'Paths are relative, and stay within the work directory.';
  let work: WorkDirectory;

  beforeEach(async () => {
    await mkdir(join(base, 'work/deep'), { recursive: true });
    await mkdir(join(base, 'outside'));
    await writeFile(join(base, 'outside/secret.txt'), 'the secret');
    await writeFile(join(base, 'work/deep/own.txt'), 'my own\nnot a secret of others\n');
    // Where each of these leads, seen from the work directory.
    const links = {
      file: join(base, 'outside/secret.txt'),
      directory: join(base, 'outside'),
      relative: '../outside',
      parent: '..',
      nothing: join(base, 'outside/new.txt'),
      chain: 'directory',
      'deep/up': '../../outside/secret.txt',
      round: 'round',
      within: 'deep',
      'deep/back': '../deep/own.txt',
    };
    for (const [name, target] of Object.entries(links)) await symlink(target, join(base, 'work', name));
    work = await WorkDirectory.open(join(base, 'work'));
  });

  async function expectNothingOutside(): Promise<void> {
    expect(await readdir(base)).toEqual(['outside', 'work']);
    expect(await readdir(join(base, 'outside'))).toEqual(['secret.txt']);
    expect(await readFile(join(base, 'outside/secret.txt'), 'utf8')).toBe('the secret');
  }

  const paths = [
    ['an absolute path', () => join(base, 'outside/secret.txt')],
    ['an absolute path into the directory', () => join(base, 'work/deep/own.txt')],
    ['the parent', () => '..'],
    ['a way up', () => '../outside/secret.txt'],
    ['a way up that comes after a way down', () => 'deep/../../outside/secret.txt'],
    ['a way up that comes back', () => 'deep/../deep/own.txt'],
    ['a way up through a link', () => 'within/../../outside/secret.txt'],
    ['a way up with backslashes', () => '..\\outside\\secret.txt'],
    ['a drive', () => 'C:secret.txt'],
    ['a path with a NUL', () => 'deep/own.txt\0.png'],
    ['a link to a file', () => 'file'],
    ['a link to a file in a directory', () => 'deep/up'],
    ['a link to a directory', () => 'directory'],
    ['a file in a linked directory', () => 'directory/secret.txt'],
    ['a new file in a linked directory', () => 'directory/new.txt'],
    ['a new directory in a linked directory', () => 'directory/a/b/new.txt'],
    ['a relative link', () => 'relative/secret.txt'],
    ['a link to the parent', () => 'parent/outside/secret.txt'],
    ['a link to a link', () => 'chain/secret.txt'],
    ['a link to what does not exist', () => 'nothing'],
    ['a linked directory that does not exist', () => 'nothing/new.txt'],
  ] as const;

  it.each(paths)('refuses %s', async (_name, path) => {
    await expect(work.read(path())).rejects.toThrow(OUTSIDE);
    await expect(work.list(path())).rejects.toThrow(OUTSIDE);
    await expect(work.write(path(), 'changed')).rejects.toThrow(OUTSIDE);
    await expectNothingOutside();
  });

  it('reads, lists and writes what lies within, also through links that stay within', async () => {
    expect(await work.read('deep/own.txt')).toContain('my own');
    expect(await work.read('within/back')).toContain('my own');
    expect(await work.list('.')).toContain('deep/');
    expect(await work.list('within')).toEqual(['back', 'own.txt', 'up']);
    await work.write('within/a/b/new.txt', 'new');
    expect(await readFile(join(base, 'work/deep/a/b/new.txt'), 'utf8')).toBe('new');
    await work.write('./deep//back', 'changed');
    expect(await readFile(join(base, 'work/deep/own.txt'), 'utf8')).toBe('changed');
    expect(await work.list('deep/a/b')).toEqual(['new.txt']);
    await expectNothingOutside();
  });

  it('finds nothing outside', async () => {
    expect(await work.search('secret')).toEqual(['deep/own.txt:2: not a secret of others']);
  });

  it('says what is wrong, but not where it lies', async () => {
    const failures = [
      ['read', 'missing.txt', 'there is no such file'],
      ['read', 'deep', 'it is a directory'],
      ['read', 'deep/own.txt/x', 'a file is used like a directory'],
      ['list', 'deep/own.txt', 'a file is used like a directory'],
      ['write', 'deep', 'it is a directory'],
      ['write', '.', 'it is a directory'],
      ['read', 'round', 'it is a link'],
      ['write', `${'x'.repeat(300)}`, 'ENAMETOOLONG'],
    ] as const;
    for (const [method, path, reason] of failures) {
      await expect(work[method](path, '')).rejects.toThrow(`${path}: ${reason}.`);
    }
    await expectNothingOutside();
  });

  it('does not change a file outside that has a name inside, too', async () => {
    await link(join(base, 'outside/secret.txt'), join(base, 'work/hard'));
    await work.write('hard', 'changed');
    expect(await work.read('hard')).toBe('changed');
    await expectNothingOutside();
  });

  it('refuses large files, and what is no file', async () => {
    await work.write('large.txt', 'x'.repeat(200_001));
    await expect(work.read('large.txt')).rejects.toThrow('large.txt: it has 200001 bytes, too many.');
    if (process.platform === 'win32') return;
    execFileSync('mkfifo', [join(base, 'work/pipe')]);
    await expect(work.read('pipe')).rejects.toThrow('pipe: it is no file.');
    await expect(work.write('pipe', 'x')).rejects.toThrow('pipe: it is no file.');
  });
});

test('coding-agent.ts: it finds the mistake, fixes it, and the tests pass', async () => {
  const dbPath = join(base, 'example.db');
  const env = { TMPDIR: base, TEMP: base };
  const { code, stdout, stderr } = await (await start('examples/coding-agent.ts', [dbPath], base, env)).ended;
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('Fixed: now all tests pass.');

  await using store = await createExtendedStore({ type: 'sqlite', dbPath });
  const calls = await store.queryToolCalls({ toolName: 'test', order: 'asc' });
  expect(calls).toMatchObject([
    { state: 'completed', output: { passed: false }, approval: { decidedBy: 'the example' } },
    { state: 'completed', output: { passed: true } },
  ]);
  const [agent] = await store.querySessions();
  expect(agent).toMatchObject({ templateId: 'coder', status: 'idle' });
  const copy = String(agent?.metadata.directory);
  const sample = new URL('../../examples/coding-agent/sample/cart.mjs', import.meta.url);
  const before = await readFile(sample, 'utf8');
  expect(await readFile(join(copy, 'cart.mjs'), 'utf8')).toBe(before.replace('count > 10', 'count >= 10'));
  expect(before).toContain('count > 10');
  expect(await store.checkConsistency()).toMatchObject({ consistent: true });
});
