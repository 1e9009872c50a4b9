/** The database's clock in epoch milliseconds, as an expression: leases are judged by one clock for all. */
export const NOW = {
  sqlite: "CAST(round(unixepoch('subsec') * 1000) AS INTEGER)",
  postgres: '(extract(epoch FROM clock_timestamp()) * 1000)::bigint',
} as const;

/** The same text for both databases, with the clock of each. */
export function withClock(text: (now: string) => string): { sqlite: string; postgres: string } {
  return { sqlite: text(NOW.sqlite), postgres: text(NOW.postgres) };
}
