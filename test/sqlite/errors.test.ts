import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startChild } from '../support/child.ts';
import { makeTemporaryDirectory, removeDirectory } from '../support/temporary.ts';

let directory: string;

beforeEach(async () => {
  directory = await makeTemporaryDirectory();
});

afterEach(() => removeDirectory(directory));

describe('errors of the SQLite driver', () => {
  it('R2 are recognised when their class is of another realm', async () => {
    const child = startChild(new URL('./realm.child.ts', import.meta.url), { args: [directory] });
    expect(await child.rest()).toEqual([
      'created twice: AgentExistsError',
      'locked: StoreBusyError, caused in another realm',
      'waited for: nothing',
      'refused: StoreUnavailableError, caused in another realm',
      'no database: CorruptDataError, caused in another realm',
    ]);
  });
});
