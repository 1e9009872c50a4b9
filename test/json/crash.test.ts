import { describe, expect, it } from 'vitest';
import { surviveKill } from '../torture/torture.ts';
import { leftIn, workspaces } from './helpers.ts';

const workspace = workspaces();

describe('a process that is killed', () => {
  it('at any moment loses nothing that it was told is stored, and leaves nothing behind', {
    timeout: 60_000,
  }, async () => {
    const { root } = await workspace();
    let acknowledged = 0;
    for (const said of [1, 4, 11, 23, 40]) {
      acknowledged += await surviveKill({
        place: { kind: 'json', path: root },
        prefix: `k${said}`,
        after: { said, ms: 2 },
      });
      expect(await leftIn(root)).toEqual([]);
    }
    expect(acknowledged).toBeGreaterThan(20);
  });
});
