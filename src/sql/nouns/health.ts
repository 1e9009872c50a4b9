import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import type { HealthReport } from '../../store/store.ts';
import type { Engine } from '../engine.ts';
import { statement } from '../statement.ts';

const PING = statement('ping', 'SELECT 1 AS alive');

/** Asks the database, and writes a file where the store's files go. Never throws: the report says it. */
export async function checkHealth(
  connect: () => Promise<Engine>,
  directory: string | undefined,
  clock: Clock,
): Promise<HealthReport> {
  const database = await checkDatabase(connect);
  const fileSystem = await checkFiles(directory);
  return {
    healthy: database.connected && fileSystem.writable,
    database,
    fileSystem,
    checkedAt: new Date(clock.now()),
  };
}

async function checkDatabase(connect: () => Promise<Engine>): Promise<HealthReport['database']> {
  const start = performance.now();
  try {
    const { context } = await connect();
    await context.driver.read(PING, []);
    return { connected: true, latencyMs: performance.now() - start };
  } catch (error) {
    return { connected: false, latencyMs: performance.now() - start, error: messageOf(error) };
  }
}

/** Without a directory nothing has to be writable. */
async function checkFiles(directory: string | undefined): Promise<HealthReport['fileSystem']> {
  if (directory === undefined) return { writable: true };
  const probe = join(directory, `.kode-health-${process.pid}-${Math.random().toString(36).slice(2)}`);
  try {
    await mkdir(directory, { recursive: true });
    const file = await open(probe, 'wx');
    await file.close();
    await rm(probe);
    return { writable: true };
  } catch (error) {
    return { writable: false, error: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
