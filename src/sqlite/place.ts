import { dirname } from 'node:path';
import { StoreConfigError } from '../errors.ts';
import { messageOf } from '../model/foreign.ts';
import type { Modes } from '../store/modes.ts';
import { makeFolder } from '../store/new-files.ts';

/** Makes the folder that a file is to be in. */
export async function makeFolderOf(path: string, modes: Modes): Promise<void> {
  try {
    await makeFolder(dirname(path), modes);
  } catch (cause) {
    throw new StoreConfigError(
      `The folder of ${path} can't be created (${messageOf(cause)}). Choose another path, or create it.`,
      { cause },
    );
  }
}
