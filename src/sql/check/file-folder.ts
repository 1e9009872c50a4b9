import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, messageOf } from '../../model/foreign.ts';
import type { HealthReport } from '../../store/store.ts';

/**
 * Whether files can be written to a folder that is made when it is first needed. Creates nothing: of a folder that
 * isn't there, the nearest one above it is asked. Without a folder nothing has to be writable.
 */
export async function checkFolder(folder: string | undefined): Promise<HealthReport['fileSystem']> {
  if (folder === undefined) return { writable: true };
  try {
    await access(await nearest(folder), constants.W_OK | constants.X_OK);
    return { writable: true };
  } catch (error) {
    return { writable: false, error: messageOf(error) };
  }
}

async function nearest(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      if ((await stat(path)).isDirectory()) return path;
      throw new Error(`${path} is no folder`);
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || path === dirname(path)) throw error;
    }
  }
}
