import pg from 'pg';
import { startPostgres } from '../support/postgres-server.ts';

export interface SamplesServer {
  /** For `runSamples`: what the pages tell their readers to set, and where the server really listens. */
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** A server that knows the user `kode` with this password, and his database `kode_agents`. */
export async function startSamplesServer(password: string): Promise<SamplesServer> {
  const server = await startPostgres({ major: 15, password });
  try {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(`create role kode login password ${pg.escapeLiteral(password)}`);
    await client.query('create database kode_agents owner kode');
    await client.end();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    env: { POSTGRES_PASSWORD: password, SAMPLES_POSTGRES_PORT: String(server.port) },
    stop: () => server.stop(),
  };
}
