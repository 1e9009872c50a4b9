import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { startProgress } from '../../src/cli/progress.ts';

function written(isTTY: boolean, total: number): string {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 80 });
  const progress = startProgress(stream, total);
  for (let n = 0; n < total; n += 1) progress.step();
  progress.stop();
  return String(stream.read() ?? '');
}

it('draws a bar on a terminal and takes it away in the end', () => {
  expect(written(true, 40)).toContain('40/40 messages');
});

it('draws none into files and pipes, and none for nothing', () => {
  expect(written(false, 40)).toBe('');
  expect(written(true, 0)).toBe('');
});
