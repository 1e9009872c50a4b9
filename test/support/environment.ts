/** Names the server that the tests use in place of their own ones. */
export const TEST_POSTGRES_URL = 'KODE_TEST_POSTGRES_URL';

/** Set where better-sqlite3 doesn't run: the agent's tests then do without SQLite. */
export const WITHOUT_SQLITE = 'TEST_WITHOUT_SQLITE';
export const withoutSqlite = process.env[WITHOUT_SQLITE] !== undefined;

/** For scripts/matrix.mjs: the version that the server `postgres18` has, and a folder with its package. */
export const POSTGRES_MAJOR = 'TEST_POSTGRES_MAJOR';
export const POSTGRES_PACKAGES = 'TEST_POSTGRES_PACKAGES';

/** For scripts/matrix.mjs: whole suites, where `npm test` runs what can differ. */
export const WHOLE = process.env.TEST_WHOLE !== undefined;

/** For scripts/matrix.mjs: how many calls in a row run into their bound. */
export const TIME_OUTS = Number(process.env.TEST_TIME_OUTS ?? 60);

/**
 * Takes away the variables that would point a store, or the PostgreSQL driver, at a database of the
 * caller's: people export them for production. Tests that are about them set their own. How often the
 * property tests run is no such thing.
 */
export function removeRedirectingVariables(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(KODE_(?!PROPERTY_(RUNS|SEED)$)|POSTGRES_|PG[A-Z])/i.test(name)) delete process.env[name];
  }
}
