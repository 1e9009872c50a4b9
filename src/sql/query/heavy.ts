import { type Driver, run, type Shapes } from '../port/driver.ts';
import type { Shape } from '../port/statement.ts';

export type Reads = Pick<Driver, 'dialect' | 'read'>;

/** Rows in one look, skipped ones included, from which on a read is better made apart: some 4 ms in this process. */
export const HEAVY_ROWS = 10_000;

/** Where to read a page that skips so many rows: they are all walked over. */
export function readsOf(driver: Driver, { offset }: { offset: number }): Reads {
  return offset > HEAVY_ROWS ? heavyReads(driver) : driver;
}

/** Reads that hold up nobody else, at the price of a way to another thread where the database works in this one. */
export function heavyReads(driver: Driver): Reads {
  if (driver.dialect.worksApart) return driver;
  return {
    dialect: driver.dialect,
    read: <S extends Shape>(...[statement, params]: Parameters<typeof driver.read<S>>) =>
      driver.analyse<Shapes[S][]>(() => run(statement, params)),
  };
}
