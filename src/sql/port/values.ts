export type SqlValue = string | number | null;
/** A parameter: lists are for a driver's own statements. */
export type SqlParam = SqlValue | readonly SqlValue[];
export type Row = Record<string, SqlValue>;
