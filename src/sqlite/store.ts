import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type BetterSqlite3 from 'better-sqlite3';
import { StoreConfigError } from '../errors.ts';
import { CLOCK, clockOf } from '../model/clock.ts';
import { Engine } from '../sql/engine.ts';
import { APPLIED, isCurrent, migrate } from '../sql/migrations.ts';
import { statement } from '../sql/statement.ts';
import { SqlStore } from '../sql/store.ts';
import { databasePath, givenPath, MEMORY } from '../store/paths.ts';
import { SqliteDriver } from './driver.ts';
import { translate } from './errors.ts';
import { loadBetterSqlite } from './load.ts';
import { type Settings, type SqliteOptions, settingsOf } from './options.ts';

const JOURNAL_SIZE_LIMIT = 64 * 1024 * 1024;
/**
 * Half of SQLite's default: most of what a turn changes is one entry on a page of each index, and the log
 * takes whole pages. With 4,096 a turn would log two thirds more.
 */
const PAGE_SIZE = 2_048;
/**
 * Pages in the log before they are moved to the database: 16 MB. A turn writes some 30 pages, most of them the
 * same ones again, so at SQLite's default of 1,000 a checkpoint's syncs would come every 30 turns.
 */
const CHECKPOINT_PAGES = 8_000;

const MIGRATIONS_TABLE = statement(
  'migrations_table',
  "SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'kode_data_migrations'",
);

/**
 * A store in one SQLite file, which several processes of one machine may share. `:memory:` lives as long
 * as the store.
 *
 * @example
 * const store = new SqliteStore('./data/agents.db', './data/store');
 */
export class SqliteStore extends SqlStore {
  protected readonly fileStoreDirectory: string | undefined;
  readonly #path: string;
  readonly #settings: Settings;

  constructor(dbPath: string, fileStoreBaseDir?: string, options: SqliteOptions = {}) {
    super(clockOf(options));
    this.#settings = settingsOf(options);
    // Resolved now: a process that changes its directory later still means the same files.
    this.#path = databasePath(dbPath, 'dbPath');
    this.fileStoreDirectory =
      fileStoreBaseDir === undefined ? undefined : givenPath(fileStoreBaseDir, 'fileStoreBaseDir');
  }

  protected async connect(): Promise<Engine> {
    const Database = await loadBetterSqlite();
    try {
      if (this.#path !== MEMORY) await mkdir(dirname(this.#path), { recursive: true });
    } catch (cause) {
      throw new StoreConfigError(
        `The folder of ${this.#path} can't be created (${cause instanceof Error ? cause.message : String(cause)}). Choose another path, or create it.`,
        { cause },
      );
    }
    let db: BetterSqlite3.Database | undefined;
    try {
      // SQLite's own waiting would block the event loop: see `whenFree`.
      db = new Database(this.#path, { timeout: 0 });
      const driver = new SqliteDriver(db, this.#path, this.#settings, this[CLOCK]);
      await driver.whenFree(() => this.#configure(driver));
      const present = await driver.read(MIGRATIONS_TABLE, []);
      if (present.length === 0 || !isCurrent(await driver.read(APPLIED, []), driver.dialect)) {
        await driver.transact(() => migrate(driver.dialect, driver.clock.now()));
      }
      return new Engine(driver);
    } catch (error) {
      db?.close();
      throw translate(error, this.#path);
    }
  }

  #configure(driver: SqliteDriver): void {
    // Of a file that is there already neither changes.
    driver.pragma(`page_size = ${PAGE_SIZE}`);
    driver.pragma('journal_mode = WAL');
    driver.pragma(`journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
    driver.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    // In WAL mode NORMAL doesn't sync commits at all; better-sqlite3 leaves it there.
    driver.pragma(`synchronous = ${this.#settings.durability === 'normal' ? 'NORMAL' : 'FULL'}`);
    // On macOS fsync doesn't reach the platter.
    if (process.platform === 'darwin' && this.#settings.durability !== 'normal')
      driver.pragma('fullfsync = ON');
    driver.pragma('foreign_keys = ON');
  }

  protected async writeBackup(write: (path: string) => Promise<void>, path?: string): Promise<string> {
    const directory = this.fileStoreDirectory ?? resolve('.');
    const stamp = new Date(this[CLOCK].now()).toISOString().replaceAll(':', '-');
    const target =
      path === undefined ? join(directory, 'backups', `agents-${stamp}.db`) : givenPath(path, 'path');
    if (target === this.#path)
      throw new StoreConfigError('The backup must go to another file than the database.');
    try {
      await mkdir(dirname(target), { recursive: true });
    } catch (cause) {
      throw new StoreConfigError(
        `The folder of the backup ${target} can't be created (${cause instanceof Error ? cause.message : String(cause)}). Choose another path.`,
        { cause },
      );
    }
    await write(target);
    return target;
  }
}
