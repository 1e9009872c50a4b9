import { CorruptDataError, KodeError, StoreBusyError, StoreUnavailableError } from '../errors.ts';
import { errorCode, messageOf } from '../model/foreign.ts';
import { UniqueViolation } from '../sql/port/driver.ts';

export function isBusy(error: unknown): boolean {
  const code = errorCode(error) ?? '';
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED');
}

/** Turns an error of the driver into one of ours; errors of our own pass. */
export function translate(error: unknown, path: string): unknown {
  if (error instanceof KodeError || error instanceof UniqueViolation) return error;
  const code = errorCode(error) ?? '';
  const message = messageOf(error);
  if (/^E[A-Z0-9]+$/.test(code)) {
    return new StoreUnavailableError(
      `The file system refused an operation on ${path}: ${message}. Check its folder's permissions, and whether the disk is full or mounted read-only.`,
      { cause: error },
    );
  }
  if (!code.startsWith('SQLITE')) return error;
  if (code === 'SQLITE_CONSTRAINT_PRIMARYKEY' || code === 'SQLITE_CONSTRAINT_UNIQUE') {
    return new UniqueViolation(/kode_data_(\w+)\./.exec(message)?.[1] ?? '', error);
  }
  if (isBusy(error)) {
    return new StoreBusyError(
      `The SQLite file ${path} stayed locked by another process for longer than this store waits. End what holds it (a long transaction in a shell, a backup tool), or raise the option busyTimeoutMs.`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB') {
    return new CorruptDataError(
      `${path} is not a usable SQLite database (${message}). Check the path, or restore the file from a backup.`,
      { cause: error },
    );
  }
  if (code === 'SQLITE_FULL') {
    return new StoreUnavailableError(
      `The disk that holds ${path} is full: nothing of this write was stored. Free some space and write again.`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_READONLY') || code.startsWith('SQLITE_PERM')) {
    return new StoreUnavailableError(
      `${path} can't be written (${message}). Check the permissions of the file and its folder, and whether the disk is mounted read-only.`,
      { cause: error },
    );
  }
  if (code.startsWith('SQLITE_CANTOPEN')) {
    return new StoreUnavailableError(
      `${path} can't be opened (${message}). Check that its folder exists and is writable.`,
      { cause: error },
    );
  }
  return new StoreUnavailableError(`SQLite refused the operation on ${path}: ${message} (${code}).`, {
    cause: error,
  });
}
