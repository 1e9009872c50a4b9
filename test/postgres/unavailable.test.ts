import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { inspect } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KodeError, StoreConfigError, StoreUnavailableError } from '../../src/errors.ts';
import { PostgresStore } from '../../src/postgres/store.ts';
import type { PostgresConnection } from '../../src/store/config.ts';
import { collect } from '../../src/testing/samples.ts';
import { until, within } from '../../src/testing/timing.ts';
import { Network } from '../support/network.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';

const SECRET = 'Gehe1m/nis & ümlaut';
const MAX_CONNECTIONS = 6;

let server: PostgresServer;
let base: { host: string; port: number; user: string; password: string; database: string };
const open: PostgresStore[] = [];

beforeAll(async () => {
  server = await startPostgres({
    major: 18,
    password: SECRET,
    settings: { max_connections: String(MAX_CONNECTIONS), superuser_reserved_connections: '0' },
  });
  const { host, port, user } = server;
  base = { host, port, user, password: SECRET, database: 'postgres' };
});

afterAll(async () => {
  for (const store of open) await store.close();
  await server.stop();
});

function storeOn(connection: PostgresConnection | string | pg.Pool): PostgresStore {
  const store = new PostgresStore(connection);
  open.push(store);
  return store;
}

/** How a call on the store fails. What anybody may log of it must not give the password away. */
async function failure(store: PostgresStore): Promise<KodeError> {
  const error = await within(
    store.list().then(
      () => undefined,
      (reason: unknown) => reason,
    ),
    'the call',
    20_000,
  );
  expect(error).toBeInstanceOf(KodeError);
  expectNoSecret(error);
  return error as KodeError;
}

async function unavailable(store: PostgresStore): Promise<string> {
  const error = await failure(store);
  expect(error).toBeInstanceOf(StoreUnavailableError);
  return error.message;
}

function expectNoSecret(error: unknown): void {
  const texts = [inspect(error, { depth: 12, showHidden: true })];
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    texts.push(cause.message, String(cause.stack), JSON.stringify(cause));
  }
  for (const secret of [SECRET, encodeURIComponent(SECRET)]) {
    for (const text of texts) expect(text).not.toContain(secret);
  }
}

async function listen(onConnection: (server: Server) => void = () => undefined): Promise<[Server, number]> {
  const tcp = createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  onConnection(tcp);
  return [tcp, (tcp.address() as AddressInfo).port];
}

describe('a server that cannot be used', () => {
  it('that does not run: says how to find out, and is used once it runs', async () => {
    const network = await Network.to(server.url);
    await network.refuse();
    const store = storeOn(network.url(server.url));
    const message = await unavailable(store);
    expect(message).toMatch(/pg_isready -h 127\.0\.0\.1 -p \d+/);
    expect(message).toContain('listen_addresses');
    expect(message).toContain('firewall');
    await network.accept();
    expect(await store.list()).toEqual([]);
    await network.refuse();
    await unavailable(store);
    await network.accept();
    expect(await store.list()).toEqual([]);
    await store.close();
    await network.refuse();
  });

  it('that does not run: is unhealthy, without an error', async () => {
    const network = await Network.to(server.url);
    await network.refuse();
    const store = storeOn(network.url(server.url));
    const report = await store.healthCheck();
    expect(report).toMatchObject({ healthy: false, database: { connected: false } });
    expect(report.database.error).toContain('refuses connections');
    expectNoSecret(new Error(JSON.stringify(report)));
  });

  it('that refuses the password: names user, password and pg_hba.conf', async () => {
    const wrong = `${SECRET}!`;
    const message = await unavailable(storeOn({ ...base, password: wrong }));
    expect(message).toMatch(/user "postgres".*password.*pg_hba\.conf/s);
    const url = new URL(server.url);
    url.password = wrong;
    await unavailable(storeOn(url.href));
    expect(await storeOn(base).list()).toEqual([]);
  });

  it('that asks for a password when there is none: says where to put one', async () => {
    const { password: _, ...without } = base;
    expect(await unavailable(storeOn(without))).toMatch(/POSTGRES_PASSWORD.*connection\.password/);
  });

  it('that asks for a password: has it from a watcher, too', async () => {
    const pool = new pg.Pool({ ...base, max: 1 });
    const store = storeOn(pool);
    await store.saveInfo('watched', {});
    const end = new AbortController();
    const watching = collect(store.watch('watched', { signal: end.signal }));
    const listens = async () =>
      (await pool.query(`select 1 from pg_stat_activity where query like 'LISTEN%'`)).rows.length === 1;
    await until(listens, 'it listens');
    end.abort();
    await watching;
    await store.delete('watched');
    await store.close();
    await pool.end();
  });

  it('without the database: says how to create it', async () => {
    const message = await unavailable(storeOn({ ...base, database: 'kode_nowhere' }));
    expect(message).toMatch(/no database "kode_nowhere".*createdb kode_nowhere.*POSTGRES_DB/);
  });

  it('whose name is unknown: says so', async () => {
    const message = await unavailable(storeOn({ ...base, host: 'no-such-host.invalid' }));
    expect(message).toMatch(/"no-such-host\.invalid" can't be resolved.*POSTGRES_HOST/);
  });

  it('without TLS when the store asks for it: points at connection.ssl', async () => {
    expect(await unavailable(storeOn({ ...base, ssl: true }))).toMatch(/TLS.*connection\.ssl/);
  });

  it('with too many clients: names the limits, and is used once there is room', async () => {
    const store = storeOn({ ...base, max: 1 });
    const clients = Array.from({ length: MAX_CONNECTIONS }, () => new pg.Client({ ...base }));
    for (const client of clients) client.on('error', () => undefined);
    // Connections that ended a moment ago may still be counted.
    await expect
      .poll(async () => {
        const taken = await Promise.allSettled(clients.map((client) => client.connect()));
        return taken.some(({ status }) => status === 'rejected') || (await failure(store)).message;
      })
      .toBeTruthy();
    const message = await unavailable(store);
    expect(message).toMatch(/too many clients.*"max".*max_connections.*pooler/s);
    await Promise.allSettled(clients.map((client) => client.end()));
    await expect.poll(() => store.list().catch(() => 'refused')).toEqual([]);
  });

  it('whose pool is exhausted: names the pool, and is used once there is room', async () => {
    const pool = new pg.Pool({ ...base, max: 1, connectionTimeoutMillis: 200 });
    const store = storeOn(pool);
    expect(await store.list()).toEqual([]);
    const held = await pool.connect();
    expect(await unavailable(store)).toMatch(/connectionTimeoutMillis.*pool.*"max"/s);
    held.release();
    expect(await store.list()).toEqual([]);
    await store.close();
    await pool.end();
  });

  it('that accepts and never answers: is given up after connectionTimeoutMillis', async () => {
    const sockets: { destroy(): void }[] = [];
    const [silent, port] = await listen((tcp) => tcp.on('connection', (socket) => sockets.push(socket)));
    const store = storeOn({ ...base, port, connectionTimeoutMillis: 300 });
    expect(await unavailable(store)).toContain('connectionTimeoutMillis');
    for (const socket of sockets) socket.destroy();
    silent.close();
  });

  it('that hangs up at once: says that the connection was cut', async () => {
    const [rude, port] = await listen((tcp) => tcp.on('connection', (socket) => socket.destroy()));
    await unavailable(storeOn({ ...base, port, connectionTimeoutMillis: 2_000 }));
    rude.close();
  });

  it('that speaks another protocol: is no server for the store', async () => {
    const [web, port] = await listen((tcp) =>
      tcp.on('connection', (socket) => {
        socket.on('error', () => undefined);
        socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    await unavailable(storeOn({ ...base, port, connectionTimeoutMillis: 1_000 }));
    web.close();
  });

  it('that only reads: says that it is a replica or set so', async () => {
    const store = storeOn({ ...base, options: '-c default_transaction_read_only=on' });
    await storeOn(base).saveInfo('reader', {});
    await store.list();
    const error = await store.saveInfo('reader', { status: 'running' }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(StoreUnavailableError);
    expect((error as Error).message).toMatch(/read-only.*primary/);
  });

  it('where the user may create nothing: names the privilege', async () => {
    const admin = new pg.Client({ ...base });
    await admin.connect();
    await admin.query(`create role guest login password 'guest'`);
    await admin.query('create database for_guests');
    await admin.end();
    const store = storeOn({ ...base, user: 'guest', password: 'guest', database: 'for_guests' });
    expect(await unavailable(store)).toMatch(/privilege.*CREATE.*USAGE/s);
  });

  it('whose database has another encoding: says which one is needed', async () => {
    const admin = new pg.Client({ ...base });
    await admin.connect();
    await admin.query(
      `create database ascii encoding 'SQL_ASCII' template template0 lc_collate 'C' lc_ctype 'C'`,
    );
    await admin.end();
    const error = await failure(storeOn({ ...base, database: 'ascii' }));
    expect(error).toBeInstanceOf(StoreConfigError);
    expect(error.message).toContain("ENCODING 'UTF8'");
  });
});

describe('a connection that makes no sense', () => {
  it.each([
    ['a URL with a bad port', () => `postgres://u:${encodeURIComponent(SECRET)}@localhost:port/db`],
    ['a URL of something else', () => `mysql://u:${encodeURIComponent(SECRET)}@localhost/db`],
    ['a URL whose password is not encoded', () => `postgres://u:${SECRET}@[/db`],
  ])('%s is refused without giving the password away', async (_name, url) => {
    const error = await Promise.resolve()
      .then(async () => storeOn(url()).list())
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect(error).toBeInstanceOf(StoreConfigError);
    expectNoSecret(error);
  });
});
