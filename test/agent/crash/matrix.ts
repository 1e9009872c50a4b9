import { describe, it } from 'vitest';
import { deltasOf } from './answers.ts';
import { type Cell, expectCells, namesOfWrites } from './cell.ts';
import { all } from './failures.ts';
import { TOOLS } from './life.ts';
import type { Ground } from './place.ts';
import { expectPoolTakesOver } from './pool.ts';
import { expectRecoveries } from './recovery.ts';

/** Lives that one process lives, side by side, before it is killed. */
const AT_ONCE = 11;
const timeout = 240_000;

/** All places at which a process can die, each followed by somebody who finds the agent and goes on. */
export function crashMatrix(ground: Ground): void {
  // Dead processes' leases are waited for: that time is shared.
  describe.concurrent(`a process is killed, on ${ground.name}`, () => {
    it('before and after each of its writes', { timeout }, async () => {
      const names = await namesOfWrites(ground);
      const cells = names.flatMap((name, i) =>
        (['before', 'after'] as const).map(
          (when): Cell => ({ name: `${when} write ${i + 1} (${name})`, stop: { when, write: i + 1 } }),
        ),
      );
      const parts = Array.from({ length: Math.ceil(cells.length / AT_ONCE) }, (_, i) => ({
        name: `part ${i + 1}`,
        cells: cells.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
      }));
      await all(parts, (part) => expectCells(ground, part.cells));
    });

    it('between what a tool does and the record of it', { timeout }, () =>
      expectCells(
        ground,
        TOOLS.map((tool) => ({ name: `when ${tool} has taken effect`, stop: { effects: [tool] } })),
      ),
    );

    it('while an answer streams', { timeout }, () =>
      expectCells(
        ground,
        ([0, 1] as const).flatMap((step) => {
          const { length } = deltasOf(step);
          return [0, 1, length >> 1, length].map((deltas) => ({
            name: `after ${deltas} deltas of step ${step}`,
            hang: { step, deltas },
          }));
        }),
      ),
    );

    it('and the next one, too, while it recovers', { timeout }, () => expectRecoveries(ground));

    it('with all the agents it works on: other workers finish each of them once', { timeout }, () =>
      expectPoolTakesOver(ground),
    );
  });
}
