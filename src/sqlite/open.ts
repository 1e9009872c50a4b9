import type BetterSqlite3 from 'better-sqlite3';
import type { Clock } from '../model/clock.ts';
import { statement } from '../sql/port/statement.ts';
import { APPLIED, isCurrent, migrate } from '../sql/schema/migrate.ts';
import { makeFile } from '../store/new-files.ts';
import { MEMORY } from '../store/paths.ts';
import { unlessAborted } from '../store/unless-aborted.ts';
import { SqliteDriver } from './driver.ts';
import { translate } from './errors.ts';
import { refuseForeign } from './foreign.ts';
import { loadBetterSqlite } from './load.ts';
import type { Settings } from './options.ts';
import { makeFolderOf } from './place.ts';

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
 * Opens the database at a path, creates it where there is none, and brings its schema up to date. Between two steps,
 * and while others have the file locked, `signal` ends it; a transaction is done at a stroke, or not at all.
 */
export async function openDatabase(
  path: string,
  settings: Settings,
  clock: Clock,
  signal: AbortSignal,
): Promise<SqliteDriver> {
  const step = <T>(work: () => Promise<T>): Promise<T> => {
    signal.throwIfAborted();
    return unlessAborted(work(), signal);
  };
  const Database = await loadBetterSqlite();
  if (path !== MEMORY) await step(() => makeFolderOf(path, settings.modes));
  let db: BetterSqlite3.Database | undefined;
  try {
    if (path !== MEMORY) await step(() => refuseForeign(path, settings.adopt));
    // SQLite itself would let everybody read it. What it puts beside the database has the database's mode.
    if (path !== MEMORY) await step(() => makeFile(path, settings.modes));
    // SQLite's own waiting would block the event loop: see `whenFree`.
    db = new Database(path, { timeout: 0 });
    const driver = new SqliteDriver(db, path, settings, clock);
    await step(() => driver.whenFree(() => configure(driver, settings)));
    const present = await step(() => driver.read(MIGRATIONS_TABLE, []));
    if (present.length === 0 || !isCurrent(await step(() => driver.read(APPLIED, [])), driver.dialect)) {
      await step(() => driver.transact(() => migrate(driver.dialect, clock.now())));
    }
    driver.rememberFiles();
    return driver;
  } catch (error) {
    // What still waits for its transaction finds the file closed.
    db?.close();
    if (signal.aborted) throw error;
    throw translate(error, path);
  }
}

function configure(driver: SqliteDriver, { durability }: Settings): void {
  // Of a file that is there already neither changes.
  driver.pragma(`page_size = ${PAGE_SIZE}`);
  driver.pragma('journal_mode = WAL');
  driver.pragma(`journal_size_limit = ${JOURNAL_SIZE_LIMIT}`);
  driver.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
  // In WAL mode NORMAL doesn't sync commits at all; better-sqlite3 leaves it there.
  driver.pragma(`synchronous = ${durability === 'normal' ? 'NORMAL' : 'FULL'}`);
  // On macOS fsync doesn't reach the platter.
  if (process.platform === 'darwin' && durability !== 'normal') driver.pragma('fullfsync = ON');
  driver.pragma('foreign_keys = ON');
}
