import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/dialect.ts';
import { initial } from './migrations/0001-initial.ts';
import { alpha2 } from './migrations/0002-alpha-2.ts';

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  // Bound by the driver, from its clock.
  now: '$now',
  table: (name) => TABLE_PREFIX + name,
  view: (name) => VIEW_PREFIX + name,
  absentTable: 'metadata_jsonb',
  migrations: [initial, alpha2],
};
