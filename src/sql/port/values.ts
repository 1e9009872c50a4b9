export type SqlValue = string | number | null;
export type Row = Record<string, SqlValue>;
