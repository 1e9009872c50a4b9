import { KodeError, StoreBusyError, StoreUnavailableError } from '../errors.ts';
import { UniqueViolation } from '../sql/driver.ts';

/** Where the store connects to, for messages: never the password. */
export interface Endpoint {
  host: string;
  port: number | string;
  database: string;
  user: string;
}

/** Words of pg's pool: there is no code for it. */
const CONNECTION_TIMEOUT =
  /timeout exceeded when trying to connect|Connection terminated due to connection timeout/;

interface DriverError {
  code?: string;
  severity?: string;
  message: string;
  table?: string;
  constraint?: string;
}

/** SQLSTATEs after which the same transaction may succeed: serialization failure and deadlock. */
export function isRetryable(error: unknown): boolean {
  const code = asDriverError(error)?.code;
  return code === '40001' || code === '40P01';
}

/** A pooler gave this session to somebody else: named statements can't be relied on. */
export function isLostStatement(error: unknown): boolean {
  const code = asDriverError(error)?.code;
  return code === '26000' || code === '42P05';
}

/** Unique violation, serialization failure, deadlock, lock_timeout, statement_timeout. */
const NORMAL_WORK = new Set(['23505', '40001', '40P01', '55P03', '57014']);

/**
 * Errors of normal work, which say nothing about the session: an id is taken, others were first. Any other
 * error may be the session's own: it ended, a statement still runs on it after the client's query_timeout,
 * others left it in a transaction or under a role, the server became a replica, a prepared plan is outdated.
 * Only a new session is free of that.
 */
export function sparesSession(error: unknown): boolean {
  const { code = '', severity } = asDriverError(error) ?? {};
  // A replica that ends a session for its recovery also calls that a serialization failure. The severity is
  // in the server's language, so that there is no asking for "ERROR"; the other codes never end a session.
  return NORMAL_WORK.has(code) && severity !== 'FATAL';
}

/** The pool had no connection to give for as long as it waits. */
export function isConnectionTimeout(error: unknown): boolean {
  return CONNECTION_TIMEOUT.test(asDriverError(error)?.message ?? '');
}

function asDriverError(error: unknown): DriverError | undefined {
  return error instanceof Error ? (error as Error & DriverError) : undefined;
}

/** Turns an error of the driver into one of ours; errors of our own pass. */
export function translate(error: unknown, endpoint: Endpoint): unknown {
  if (error instanceof KodeError || error instanceof UniqueViolation) return error;
  const driverError = asDriverError(innermost(error));
  if (!driverError) return error;
  const { code = '', message, constraint } = driverError;
  if (code === '23505')
    return new UniqueViolation(/^kode_data_(\w+?)_pkey$/.exec(constraint ?? '')?.[1] ?? '', error);
  if (code === '40001' || code === '40P01' || code === '55P03' || code === '57014') {
    return new StoreBusyError(
      `PostgreSQL gave the operation up because of other transactions or a timeout (${code}: ${message}). Nothing was stored: try again.`,
      { cause: error },
    );
  }
  const check = connectionCheck(code, message, endpoint) ?? serverCheck(code, message);
  if (check) return new StoreUnavailableError(check, { cause: error });
  // SQLSTATEs are five characters; an error without one didn't come from the server.
  if (/^[0-9A-Z]{5}$/.test(code)) {
    return new StoreUnavailableError(`PostgreSQL refused the operation (${code}): ${message}.`, {
      cause: error,
    });
  }
  return error;
}

/** Node tries every address of a host and wraps what it got. */
function innermost(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

function connectionCheck(code: string, message: string, at: Endpoint): string | undefined {
  const server = `PostgreSQL at ${at.host}:${at.port}`;
  switch (code) {
    case 'ECONNREFUSED':
      return `${server} refuses connections. Check that the server runs (pg_isready -h ${at.host} -p ${at.port}), that it listens on this address (listen_addresses), and the firewall.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name "${at.host}" can't be resolved. Check POSTGRES_HOST or connection.host, and DNS.`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${server} can't be reached (${code}). Check the address, the network and the firewall.`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `The connection to ${server} was cut. Whether a write under way was stored is unknown: repeat it with the same operationId.`;
    case 'ENOENT':
      return `There is no PostgreSQL socket at ${at.host} (port ${at.port}). Check that the server runs and where its unix_socket_directories point.`;
    case '28P01':
    case '28000':
      return `${server} refused the user "${at.user}" (${code}). Check user and password, and the line for this host in pg_hba.conf.`;
    case '3D000':
      return `${server} has no database "${at.database}". Create it (createdb ${at.database}), or check POSTGRES_DB or connection.database.`;
    case '53300':
      return `${server} has too many clients already. Lower the pool's "max" in each process, raise max_connections, or put a pooler in front.`;
    case '57P01':
    case '57P02':
    case '57P03':
      return `${server} is shutting down or starting up (${code}). Try again when it accepts connections.`;
  }
  if (CONNECTION_TIMEOUT.test(message)) {
    return `No connection to ${server} within connectionTimeoutMillis. Either the server can't be reached, or other code holds the pool's connections: check the network, or raise the pool's "max".`;
  }
  if (
    /does not support SSL|SSL|TLS|certificate|self.signed/i.test(message) ||
    /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code)
  ) {
    return `The TLS connection to ${server} failed (${message}). Check connection.ssl: the server must offer TLS, and its certificate must be trusted (ssl.ca) and issued for this host.`;
  }
  if (/Cannot use a pool after calling end/.test(message)) {
    return "The store's pool has been ended. Close the store before a pool of yours.";
  }
  if (message === 'Query read timeout') {
    return `${server} didn't answer within query_timeout. Whether a write under way is stored is unknown: repeat it with the same operationId. Raise query_timeout, or look for what holds the server up (pg_stat_activity).`;
  }
  if (/Connection terminated|Client has encountered a connection error|Connection ended/.test(message)) {
    return `The connection to ${server} was closed. Whether a write under way was stored is unknown: repeat it with the same operationId.`;
  }
  if (/SASL|password must be a string/.test(message)) {
    return `${server} asks for a password and none (or a wrong kind of value) was given for the user "${at.user}". Set POSTGRES_PASSWORD or connection.password.`;
  }
  return undefined;
}

function serverCheck(code: string, message: string): string | undefined {
  if (code === '42501') {
    return `The database user lacks a privilege (${message}). Grant it CREATE and USAGE on the store's schema, and ownership of its tables.`;
  }
  if (code === '25006') {
    return 'The server is read-only: it is a replica, or default_transaction_read_only is on. Connect to the primary.';
  }
  if (code === '53100' || code === '58030') {
    return `The server's disk failed or is full (${code}: ${message}). Nothing of this write was stored.`;
  }
  if (code.startsWith('53')) return `The server has run out of a resource (${code}: ${message}).`;
  if (code.startsWith('08'))
    return `The connection failed (${code}: ${message}). Check the network and any pooler between.`;
  return undefined;
}
