import pg from 'pg';
import { vi } from 'vitest';
import { type Param, TextArray } from '../../src/postgres/params.ts';
import type { Driver, Script } from '../../src/sql/port/driver.ts';
import { render, type Shape, type Statement } from '../../src/sql/port/statement.ts';
import type { SqlValue } from '../../src/sql/port/values.ts';
import { SqliteDriver } from '../../src/sqlite/driver.ts';
import { watched } from './recorder.ts';

/** The distinct texts that a database got: of each, the parameters of its first and of its last execution. */
export class Capture {
  readonly texts = new Map<string, { first: readonly SqlValue[]; last: readonly SqlValue[] }>();
  #ended = false;

  add(text: string, params: readonly SqlValue[]): void {
    if (this.#ended) return;
    const known = this.texts.get(text);
    if (known) known.last = params;
    else this.texts.set(text, { first: params, last: params });
  }

  end(): void {
    this.#ended = true;
  }
}

/** Whatever any SQLite driver of this process runs: by itself, in scripts, in batches, in the reading thread. */
export function captureSqlite(): Capture {
  const capture = new Capture();
  const { all, run, analyse } = SqliteDriver.prototype;
  const add = (driver: Driver, statement: Statement<Shape>, params: readonly SqlValue[]) =>
    capture.add(render(statement, driver.dialect), params);
  vi.spyOn(SqliteDriver.prototype, 'all').mockImplementation(function <S extends Shape>(
    this: SqliteDriver,
    statement: Statement<S>,
    params: readonly SqlValue[],
  ) {
    add(this, statement, params);
    return all.call(this, statement, params) as ReturnType<typeof all<S>>;
  });
  vi.spyOn(SqliteDriver.prototype, 'run').mockImplementation(function (
    this: SqliteDriver,
    statement,
    params,
  ) {
    add(this, statement, params);
    return run.call(this, statement, params);
  });
  vi.spyOn(SqliteDriver.prototype, 'analyse').mockImplementation(function <T>(
    this: SqliteDriver,
    script: () => Script<T>,
  ) {
    return analyse.call(this, () =>
      watched(script(), (statement, params) => add(this, statement, params)),
    ) as Promise<T>;
  });
  return capture;
}

/** A pool whose connections write down what they send. */
export function capturingPool(url: string, max: number): { pool: pg.Pool; capture: Capture } {
  const capture = new Capture();
  const { query } = pg.Client.prototype;
  class CapturingClient extends pg.Client {
    constructor(config?: pg.ClientConfig) {
      super(config);
      this.query = ((...args: unknown[]) => {
        const [config] = args as [{ text?: string; values?: Param[] }];
        if (config?.text !== undefined) capture.add(config.text, (config.values ?? []).map(asText));
        return Reflect.apply(query, this, args);
      }) as typeof query;
    }
  }
  const pool = new pg.Pool({ connectionString: url, max, Client: CapturingClient as typeof pg.Client });
  return { pool, capture };
}

/** As it can be written into a statement. */
function asText(value: Param): SqlValue {
  return value instanceof TextArray ? arrayText(value.values) : value;
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(values: readonly SqlValue[]): string {
  const items = values.map((value) =>
    value === null ? 'NULL' : `"${String(value).replaceAll(/[\\"]/g, '\\$&')}"`,
  );
  return `{${items.join(',')}}`;
}
