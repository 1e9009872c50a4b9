import { StoreUnavailableError } from '../errors.ts';
import { errorCode, messageOf } from '../model/foreign.ts';

const ADVICE: Record<string, string> = {
  ENOSPC: 'the disk is full; free some space',
  EDQUOT: 'the disk quota is used up; free some space',
  EACCES: 'permission was denied; check who owns the folder and its files',
  EPERM: 'the operation was not permitted; check who owns the folder and whether it is read-only',
  EROFS: 'the file system is mounted read-only; { readOnly: true } reads there',
  EMFILE: 'this process has too many open files; raise its limit (ulimit -n)',
  ENFILE: 'the system has too many open files; raise its limit',
  EIO: 'the disk reported an input/output error; check its health',
  ENOENT: 'a file or folder is missing; was it removed while the store was open?',
  ENOTDIR: 'a part of the path is a file, not a folder',
};

/** After a write that failed, and that the disk doesn't let undo. */
export function outcomeUnknown(error: unknown, path: string): StoreUnavailableError {
  if (error instanceof StoreUnavailableError && error.outcome === 'unknown') return error;
  return new StoreUnavailableError(
    `A write to "${path}" failed and couldn't be undone (${errorCode(error) ?? messageOf(error)}: ${adviceOf(error)}), so it isn't known whether the change is stored: it may be there when the store is opened again. Load the agent then, or repeat the call (a commit with its operationId).`,
    { cause: error, outcome: 'unknown' },
  );
}

/** Errors of the file system leave the store as `StoreUnavailableError`; all others as they are. */
export function explainFileError(error: unknown, root: string): unknown {
  const code = errorCode(error);
  // Codes of the store's own errors are words, with underscores between them.
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  return new StoreUnavailableError(`The store in "${root}" can't go on (${code}): ${adviceOf(error)}.`, {
    cause: error,
  });
}

function adviceOf(error: unknown): string {
  return ADVICE[errorCode(error) ?? ''] ?? 'the file system refused an operation';
}
