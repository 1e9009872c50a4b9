/** Runs all of it, and fails with the names of those that failed. */
export async function all<T extends { name: string }>(
  items: readonly T[],
  run: (item: T) => Promise<void>,
): Promise<void> {
  const settled = await Promise.allSettled(items.map(run));
  const failures = settled.flatMap((one, i) =>
    one.status === 'rejected' ? [`${items[i]?.name}: ${told(one.reason)}`] : [],
  );
  if (failures.length === 0) return;
  throw new Error(`${failures.length} of ${items.length} failed.\n\n${failures.join('\n\n')}`);
}

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { actual, expected } = error as { actual?: unknown; expected?: unknown };
  if (actual === undefined && expected === undefined) return String(error.stack);
  return `${error.stack}\n  is     ${JSON.stringify(actual)}\n  wanted ${JSON.stringify(expected)}`;
}
