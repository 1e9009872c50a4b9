import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../model/foreign.ts';
import type { Modes } from './modes.ts';

const PERMISSIONS = 0o777;

/** Makes a folder with those above it that are missing. */
export async function makeFolder(path: string, modes: Modes): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: modes.folder });
  if (first === undefined || !modes.shared) return;
  for (let folder = path; ; folder = dirname(folder)) {
    // What the umask took away; bits beside the permissions, a group that is inherited for example, stay.
    const { mode } = await stat(folder);
    if ((mode & PERMISSIONS) !== modes.folder) await chmod(folder, (mode & ~PERMISSIONS) | modes.folder);
    if (folder === first || folder === dirname(folder)) return;
  }
}

/** Makes an empty file; false if something is there already. */
export async function makeFile(path: string, modes: Modes): Promise<boolean> {
  try {
    const file = await open(path, 'wx', modes.file);
    try {
      if (modes.shared) await file.chmod(modes.file);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}
