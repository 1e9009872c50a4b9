import { type Dialect, TABLE_PREFIX, VIEW_PREFIX } from '../sql/dialect.ts';

export const sqliteDialect: Dialect = {
  name: 'sqlite',
  table: (name) => TABLE_PREFIX + name,
  view: (name) => VIEW_PREFIX + name,
  absentTable: 'metadata_jsonb',
};
