import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ValidationError } from '../errors.ts';
import { CLOCK, clockOf } from '../model/clock.ts';
import { Engine } from '../sql/engine.ts';
import { SqlStore } from '../sql/store.ts';
import type { SqliteOptions } from '../store/config.ts';
import { databasePath, givenPath, MEMORY } from '../store/paths.ts';
import { configuring } from '../store/settings.ts';
import { openDatabase } from './open.ts';
import { type Settings, settingsOf } from './options.ts';

/**
 * A store in one SQLite file, which several processes of one machine may share. `:memory:` lives as long
 * as the store. `fileStoreBaseDir` is the folder for files that are asked for, such as backups; by default the
 * database's own.
 *
 * @example
 * const store = new SqliteStore('./data/agents.db', './data/store');
 */
export class SqliteStore extends SqlStore {
  protected readonly fileStoreDirectory: string | undefined;
  readonly #path: string;
  readonly #settings: Settings;

  constructor(dbPath: string, fileStoreBaseDir?: string, options: SqliteOptions = {}) {
    super(configuring('options', () => clockOf(options)));
    this.#settings = settingsOf(options);
    // Resolved now: a process that changes its directory later still means the same files.
    this.#path = databasePath(dbPath, 'dbPath');
    this.fileStoreDirectory =
      fileStoreBaseDir === undefined ? undefined : givenPath(fileStoreBaseDir, 'fileStoreBaseDir');
  }

  protected async connect(signal: AbortSignal): Promise<Engine> {
    const driver = await openDatabase(this.#path, this.#settings, this[CLOCK], signal);
    return new Engine(driver, { holder: this.#settings.holder });
  }

  protected backupPath(path: string | undefined): string {
    if (path !== undefined) return givenPath(path, 'path');
    if (this.fileStoreDirectory === undefined && this.#path === MEMORY) {
      throw new ValidationError(
        'path',
        "is needed: a database in memory has no folder where a backup could go by itself. Pass backup() a file's path, or the store a folder (fileStoreBaseDir)",
      );
    }
    const folder = join(this.fileStoreDirectory ?? dirname(this.#path), 'backups');
    const stamp = new Date(this[CLOCK].now()).toISOString().replaceAll(':', '-');
    const named = (suffix: string) => join(folder, `agents-${stamp}${suffix}.db`);
    for (let n = 1, free = named(''); ; n += 1, free = named(`-${n}`)) {
      if (!existsSync(free)) return free;
    }
  }
}
