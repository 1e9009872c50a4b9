import { existsSync, readFileSync } from 'node:fs';

const HEADER = 32;
const FRAME_HEADER = 24;

/**
 * Number of transactions in a database's write-ahead log: each ends with a frame that says how large the
 * database is after it (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
 */
export function transactionsInLog(path: string): number {
  const file = `${path}-wal`;
  if (!existsSync(file)) return 0;
  const log = readFileSync(file);
  if (log.length < HEADER) return 0;
  const pageSize = log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  let count = 0;
  for (let at = HEADER; at + FRAME_HEADER + pageSize <= log.length; at += FRAME_HEADER + pageSize) {
    // What an earlier round of the log left behind has other salts.
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    if (log.readUInt32BE(at + 4) !== 0) count += 1;
  }
  return count;
}
