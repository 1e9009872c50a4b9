import { expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { withoutSqlite } from '../support/environment.ts';

it.skipIf(withoutSqlite)(
  'an agent is not made, and its lease not taken, before the package "ai" is there',
  async () => {
    const child = startChild(new URL('./without-sdk.child.ts', import.meta.url));
    const said = (await child.rest()).map((line) => JSON.parse(line) as unknown);
    const missing = { code: 'STORE_CONFIG', message: expect.stringMatching(/npm i ai$/) };
    expect(said).toEqual([
      { name: 'create', ...missing },
      { name: 'open', ...missing },
      { name: 'resume', ...missing },
      // The first lease that anybody got.
      { agents: ['there'], token: 1 },
    ]);
  },
);
