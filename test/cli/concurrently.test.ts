import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { eachConcurrently } from '../../src/cli/concurrently.ts';

const numbers = Array.from({ length: 30 }, (_, n) => n);

it('does everything once, a few at a time', async () => {
  const done: number[] = [];
  let active = 0;
  let most = 0;
  await eachConcurrently(numbers, async (n) => {
    active += 1;
    most = Math.max(most, active);
    await setImmediate();
    active -= 1;
    done.push(n);
  });
  expect(done.sort((a, b) => a - b)).toEqual(numbers);
  expect(most).toBeGreaterThan(1);
  expect(most).toBeLessThan(30);
});

it('begins nothing after a failure, and ends only when all work has', async () => {
  const begun: number[] = [];
  let active = 0;
  const run = eachConcurrently(numbers, async (n) => {
    begun.push(n);
    active += 1;
    try {
      if (n === 2) throw new Error('no');
      await setImmediate();
    } finally {
      active -= 1;
    }
  });
  await expect(run).rejects.toThrow('no');
  expect(active).toBe(0);
  expect(begun.length).toBeLessThan(30);
});
