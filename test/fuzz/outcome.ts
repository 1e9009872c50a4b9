import { KodeError } from '../../src/errors.ts';

/** Longer than anything here takes; a call that never ends is a failure like any other. */
const PATIENCE_MS = 15_000;
const LATE = Symbol('late');

/** What a call came to: undefined for a result or an error of ours, else what is wrong with it. */
export async function complaintOf(call: () => unknown): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<typeof LATE>((resolve) => {
    timer = setTimeout(() => resolve(LATE), PATIENCE_MS);
  });
  try {
    const outcome = await Promise.race([settled(call), late]);
    return outcome === LATE ? `didn't end within ${PATIENCE_MS} ms` : undefined;
  } catch (error) {
    if (error instanceof KodeError && error.message !== '') return undefined;
    return `threw ${shown(error)}`;
  } finally {
    clearTimeout(timer);
  }
}

/** Iterations are taken a few steps of; leases are given back. */
async function settled(call: () => unknown): Promise<void> {
  const result: unknown = await call();
  if (typeof result !== 'object' && typeof result !== 'function') return;
  if (result === null) return;
  if (Symbol.asyncIterator in result) {
    let steps = 0;
    for await (const _item of result as AsyncIterable<unknown>) if (++steps >= 3) break;
    return;
  }
  for (const one of Array.isArray(result) ? result : [result]) {
    const release: unknown = (one as { release?: unknown } | null)?.release;
    if (typeof release === 'function') await release.call(one);
  }
}

function shown(error: unknown): string {
  try {
    const { stack } = error as { stack?: unknown };
    return String(stack ?? error)
      .split('\n')
      .slice(0, 4)
      .join(' | ');
  } catch {
    return 'something that has no text';
  }
}
