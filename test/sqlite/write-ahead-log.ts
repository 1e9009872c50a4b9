import { existsSync, readFileSync } from 'node:fs';

const HEADER = 32;
const FRAME_HEADER = 24;

/** Number of transactions in a database's write-ahead log: the last page of each says how large the database is. */
export function transactionsInLog(path: string): number {
  return framesOf(path).filter(({ databaseSize }) => databaseSize !== 0).length;
}

/** Number of pages in it. */
export function framesInLog(path: string): number {
  return framesOf(path).length;
}

/** https://www.sqlite.org/fileformat2.html#the_write_ahead_log */
function framesOf(path: string): { databaseSize: number }[] {
  const file = `${path}-wal`;
  if (!existsSync(file)) return [];
  const log = readFileSync(file);
  if (log.length < HEADER) return [];
  const pageSize = log.readUInt32BE(8);
  const salts = log.subarray(16, 24);
  const frames: { databaseSize: number }[] = [];
  for (let at = HEADER; at + FRAME_HEADER + pageSize <= log.length; at += FRAME_HEADER + pageSize) {
    // What an earlier round of the log left behind has other salts.
    if (!log.subarray(at + 8, at + 16).equals(salts)) break;
    frames.push({ databaseSize: log.readUInt32BE(at + 4) });
  }
  return frames;
}
