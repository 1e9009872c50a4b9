import { StoreConfigError } from '../errors.ts';

/** Nobody but the owner. */
export const DEFAULT_FILE_MODE = 0o600;

/** Who may read and write what the store creates. */
export interface Modes {
  readonly file: number;
  readonly folder: number;
  /** They give others than the owner something, which the process's umask may take away again. */
  readonly shared: boolean;
}

export function modesOf(fileMode: number = DEFAULT_FILE_MODE): Modes {
  if (!Number.isInteger(fileMode) || (fileMode & ~0o666) !== 0 || (fileMode & 0o600) !== 0o600) {
    throw new StoreConfigError(
      'fileMode: must be a file mode that lets the owner read and write and says nothing of execution, for example 0o600 or 0o660.',
    );
  }
  // Whoever may read a file may look into its folder.
  return { file: fileMode, folder: fileMode | ((fileMode & 0o444) >> 2), shared: (fileMode & 0o066) !== 0 };
}
