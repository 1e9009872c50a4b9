import type { Clock } from '../../model/clock.ts';
import { messageOf } from '../../store/foreign-errors.ts';
import type { HealthReport } from '../../store/store.ts';
import type { Engine } from '../engine.ts';
import { statement } from '../statement.ts';
import { checkFolder } from './file-folder.ts';

const PING = statement('ping', 'SELECT 1 AS alive');

/**
 * Asks the database, and looks whether files could be written where the store's go, which it can do without.
 * Never throws, and creates nothing: the report says it.
 */
export async function checkHealth(
  connect: () => Promise<Engine>,
  directory: string | undefined,
  clock: Clock,
): Promise<HealthReport> {
  const database = await checkDatabase(connect);
  const fileSystem = await checkFolder(directory);
  return {
    healthy: database.connected,
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
    await context.driver.present?.();
    return { connected: true, latencyMs: performance.now() - start };
  } catch (error) {
    return { connected: false, latencyMs: performance.now() - start, error: messageOf(error) };
  }
}
