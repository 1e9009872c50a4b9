import { readlinkSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { randomBytes, sha256 } from '../model/crypto.ts';
import { errorCode } from '../model/foreign.ts';

/** `.kode-backup-MACHINE-PID-RANDOM.partial`, and what SQLite puts beside it while it writes. */
const PARTIAL = /^\.kode-backup-([0-9a-f]{12})-(\d+)-[0-9a-f]{12}\.partial(-journal)?$/;

/** Of a machine whose processes can't be seen from here: a backup that is under way writes all the time. */
const FORGOTTEN_MS = 24 * 60 * 60 * 1_000;
/** The same where the process has this one's number, as the only process of each container does. */
const OWN_NUMBER_MS = 60_000;

const underWay = new Set<string>();

export interface PartialFile {
  readonly path: string;
  /** Removes what is left of it. */
  remove(): Promise<void>;
}

/** The place of a file in the making. If this process dies, the name says that nobody needs it. */
export function partialFile(folder: string): PartialFile {
  const name = `.kode-backup-${machine()}-${process.pid}-${randomBytes(6).toString('hex')}.partial`;
  const path = join(folder, name);
  underWay.add(name);
  return {
    path,
    async remove() {
      for (const file of [path, `${path}-journal`]) await rm(file, { force: true }).catch(() => undefined);
      underWay.delete(name);
    },
  };
}

/** Removes what backups have left in a folder whose process died. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const [, of, pid] = PARTIAL.exec(name) ?? [];
    if (of === undefined || underWay.has(name.replace(/-journal$/, ''))) continue;
    const path = join(folder, name);
    if (await isLeft(path, of, Number(pid))) await rm(path, { force: true }).catch(() => undefined);
  }
}

async function isLeft(path: string, of: string, pid: number): Promise<boolean> {
  if (of === machine() && pid !== process.pid) return !isAlive(pid);
  const untouched = of === machine() ? OWN_NUMBER_MS : FORGOTTEN_MS;
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
  return Date.now() - mtimeMs > untouched;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}

/** Where numbers of processes mean the same. On Linux each container has numbers of its own. */
function machine(): string {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {
    // There are none.
  }
  return sha256(`${hostname()}\n${namespace}`).slice(0, 12);
}
