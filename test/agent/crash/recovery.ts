import { expect } from 'vitest';
import { type Cell, expectRest, liveAndDie, liveOn, withScenesAt } from './cell.ts';
import { all } from './failures.ts';
import { withHomes } from './home.ts';
import type { Ground, Home } from './place.ts';

/**
 * Whoever recovers an agent can die of it, too. All lives here were cut off when two calls had taken effect
 * and no record said so; a second process that goes on with them is killed after each of its writes, and a
 * third finds what both have left.
 */
export async function expectRecoveries(ground: Ground): Promise<void> {
  const names = await withHomes(ground, 1, async (homes) => {
    await cutOff(homes);
    return withScenesAt(homes, [{ name: 'a recovery' }], async (scenes) => {
      const names = await liveOn(
        scenes.map(({ home, provider }) => ({ home, providerUrl: provider.url, way: 'run', rest: true })),
      );
      await all(scenes, expectRest);
      return names.flat();
    });
  });
  expect(names).toContain('commit of call 0 sealed');
  const cells = names.map(
    (name, i): Cell => ({
      name: `after write ${i + 1} of the recovery (${name})`,
      stop: { when: 'after', write: i + 1 },
    }),
  );
  await withHomes(ground, cells.length, async (homes) => {
    await cutOff(homes);
    await withScenesAt(homes, cells, async (scenes) => {
      await liveAndDie(
        scenes.map((scene) => ({ ...scene, way: 'run' })),
        true,
      );
      await all(scenes, expectRest);
    });
  });
}

/** Kills a process when none of its agents has more to do than to note what its tools have done. */
function cutOff(homes: readonly Home[]): Promise<void> {
  const cell: Cell = { name: 'two effects', stop: { effects: ['append_line', 'put_line'] } };
  return withScenesAt(
    homes,
    homes.map(() => cell),
    (scenes) => liveAndDie(scenes, false),
  );
}
