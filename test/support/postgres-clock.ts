import pg from 'pg';
import { MovableClock } from '../../src/testing/movable-clock.ts';

/**
 * A clock that the stores of a schema and their database go by. The database's is a volatile function: it sees
 * what was set while its statement waited for a lock, as a clock does.
 */
export async function postgresClock(client: pg.Client, schema: string): Promise<MovableClock> {
  const quoted = pg.escapeIdentifier(schema);
  // A schema that was used before has them already.
  await client.query(`CREATE TABLE IF NOT EXISTS ${quoted}.test_clock (now bigint NOT NULL)`);
  await client.query(`TRUNCATE ${quoted}.test_clock; INSERT INTO ${quoted}.test_clock VALUES (0)`);
  await client.query(
    `CREATE OR REPLACE FUNCTION ${quoted}.test_now() RETURNS bigint LANGUAGE plpgsql VOLATILE
       AS 'BEGIN RETURN (SELECT now FROM ${quoted}.test_clock); END'`,
  );
  const move = async (now: number) => {
    await client.query(`UPDATE ${quoted}.test_clock SET now = $1`, [Math.floor(now)]);
  };
  const clock = new MovableClock({ database: { now: `${quoted}.test_now()`, move } });
  await move(clock.now());
  return clock;
}
