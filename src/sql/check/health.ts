import type { Clock, Timer } from '../../model/clock.ts';
import { messageOf } from '../../model/foreign.ts';
import type { HealthReport } from '../../store/store.ts';
import type { Engine } from '../engine.ts';
import { statement } from '../port/statement.ts';
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
  const database = await checkDatabase(connect, clock);
  const fileSystem = await checkFolder(directory);
  return {
    healthy: database.connected,
    database,
    fileSystem,
    checkedAt: new Date(clock.now()),
  };
}

/** Whoever asks has little time: a database that doesn't answer soon is as good as none. */
export const DATABASE_MS = 5_000;

async function checkDatabase(
  connect: () => Promise<Engine>,
  clock: Clock,
): Promise<HealthReport['database']> {
  const start = performance.now();
  let timer: Timer | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const fail = () => reject(new Error(`It didn't answer within ${DATABASE_MS} ms.`));
    timer = clock.after(DATABASE_MS, fail, { ref: true });
  });
  try {
    await Promise.race([ping(connect), late]);
    return { connected: true, latencyMs: performance.now() - start };
  } catch (error) {
    return { connected: false, latencyMs: performance.now() - start, error: messageOf(error) };
  } finally {
    timer?.cancel();
  }
}

async function ping(connect: () => Promise<Engine>): Promise<void> {
  const { driver } = (await connect()).context;
  await driver.bounded({ timeoutMs: DATABASE_MS }).read(PING, []);
  await driver.present?.();
}
