import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

// What it measures isn't judged here: machines are noisy, and the sizes are small.
test('every workload of the benchmark runs', async () => {
  const bench = ['--expose-gc', '--import', 'tsx', join(root, 'bench', 'run.ts')];
  const list = await run(process.execPath, [...bench, '--list'], { cwd: root });
  const names = list.stdout.split('\n').flatMap((line) => /^([a-z-]+) {2}/.exec(line)?.[1] ?? []);
  expect(names.length).toBeGreaterThan(15);
  const { stdout } = await run(process.execPath, [...bench, '--quick', '--backend', 'sqlite'], { cwd: root });
  const told = new Set(stdout.split('\n').map((line) => line.split(/\s{2,}/)[0]));
  const missing = names.filter((name) => !told.has(name));
  // A pool is PostgreSQL's.
  expect(missing).toEqual(['pool']);
}, 180_000);

test('--against runs the same work with another package, and counts what each asked of the database', async () => {
  const bench = ['--expose-gc', '--import', 'tsx', join(root, 'bench', 'run.ts')];
  const names = ['turn-commit', 'read-events', 'fork'];
  const options = ['--against', root, '--quick', '--backend', 'sqlite', ...names];
  const { stdout } = await run(process.execPath, [...bench, ...options], { cwd: root });
  const lines = stdout.split('\n').map((line) => line.split(/\s{2,}/));
  for (const name of names) {
    const [, backend, , , , rows, , statements] = lines.find(([first]) => first === name) ?? [];
    expect(backend).toBe('sqlite');
    // Of the same package as much: one number each.
    expect(rows).toMatch(/^\d+$/);
    expect(statements).toMatch(/^\d+$/);
  }
  const unknown = run(process.execPath, [...bench, '--against', root, 'nothing'], { cwd: root });
  await expect(unknown).rejects.toThrow(/no workload "nothing"/);
}, 120_000);
