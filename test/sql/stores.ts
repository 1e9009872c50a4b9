import { PostgresStore } from '../../src/postgres/store.ts';
import type { Engine } from '../../src/sql/engine.ts';
import { SqliteStore } from '../../src/sqlite/store.ts';

/** Stores that let a test at what is below them. */
export class OpenSqliteStore extends SqliteStore {
  engine(): Promise<Engine> {
    return this.connect(new AbortController().signal);
  }
}

export class OpenPostgresStore extends PostgresStore {
  engine(): Promise<Engine> {
    return this.connect(new AbortController().signal);
  }
}
