import { statSync } from 'node:fs';
import { StoreUnavailableError } from '../errors.ts';

/** The database, its write-ahead log, and the index of that, which all processes share. */
const SUFFIXES = ['', '-wal', '-shm'] as const;

/**
 * Which files an open database consists of. A file that is removed, or replaced by another one, goes on living
 * for whoever has it open: what is written to it then is gone with the last of them.
 */
export class FileIdentity {
  readonly #known: ReadonlyMap<string, string>;

  /** Of the files that lie there now. */
  constructor(path: string) {
    this.#known = new Map(
      SUFFIXES.flatMap((suffix) => {
        const identity = identityOf(path + suffix);
        return identity === undefined ? [] : [[path + suffix, identity] as const];
      }),
    );
  }

  /** Throws unless they are the same ones. */
  check(): void {
    for (const [path, identity] of this.#known) {
      const now = identityOf(path);
      if (now === identity) continue;
      throw new StoreUnavailableError(
        `${path} was ${now === undefined ? 'removed' : 'replaced by another file'} while this store had it open: nothing of this was stored. Close this store, see what became of the file, and open a new store.`,
      );
    }
  }
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.dev} ${found.ino}`;
}
