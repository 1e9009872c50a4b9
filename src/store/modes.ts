import { StoreConfigError } from '../errors.ts';

/** Nobody but the owner. */
export const DEFAULT_FILE_MODE = 0o600;

/** Who may read and write what a store creates. What is there already keeps its mode. */
export interface Modes {
  readonly file: number;
  readonly folder: number;
  /** They give others than the owner something, which the process's umask may take away again. */
  readonly shared: boolean;
}

/** `fileMode`: of the files; `name`: where it was given. */
export function modesOf(fileMode: unknown = DEFAULT_FILE_MODE, name = 'options.fileMode'): Modes {
  if (
    typeof fileMode !== 'number' ||
    !Number.isInteger(fileMode) ||
    (fileMode & ~0o666) !== 0 ||
    (fileMode & 0o600) !== 0o600
  ) {
    throw new StoreConfigError(
      `${name} must be a file mode that lets the owner read and write and says nothing of execution: 0o600, or 0o660 for a group.`,
    );
  }
  // Whoever may read a file may look into its folder.
  return { file: fileMode, folder: fileMode | ((fileMode & 0o444) >> 2), shared: (fileMode & 0o066) !== 0 };
}
