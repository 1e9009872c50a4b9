import {
  KodeError,
  StoreBusyError,
  StoreUnavailableError,
  ValidationError,
  type WriteOutcome,
} from '../errors.ts';
import { UniqueViolation } from '../sql/port/driver.ts';
import { UNKNOWN_OUTCOME } from '../store/unknown-outcome.ts';
import { asDriverError, codeOf, isConnectionTimeout, isServersWord, saysNothingStored } from './errors.ts';
import { GivenUp } from './given-up.ts';
import { lackOfPrivilege } from './privileges.ts';

/** Where the store connects to, for messages: never the password. */
export interface Endpoint {
  host: string;
  port: number | string;
  database: string;
  user: string;
}

/** Where and at what an error came about. */
export interface Circumstances {
  readonly endpoint: Endpoint;
  readonly schema: string;
  /** The call was to write something. */
  readonly writes: boolean;
  /** A statement that would have stored it was under way. */
  readonly inDoubt: boolean;
}

/** Turns an error of the driver into one of ours; errors of our own pass. */
export function translate(error: unknown, at: Circumstances): unknown {
  if (error instanceof KodeError || error instanceof UniqueViolation) return error;
  const outcome = at.writes && at.inDoubt && !saysNothingStored(error) ? 'unknown' : 'none';
  const fate = fateOf(at, outcome);
  if (error instanceof GivenUp) return translateGivenUp(error, at, outcome, fate);
  const source = innermost(error);
  const driverError = asDriverError(source);
  if (!driverError) return error;
  const code = codeOf(source);
  const { message, constraint } = driverError;
  if (code === '23505')
    return new UniqueViolation(/^kode_data_(\w+?)_pkey$/.exec(String(constraint))?.[1] ?? '', error);
  if (code === '40001' || code === '40P01' || code === '55P03' || code === '57014') {
    return new StoreBusyError(
      `PostgreSQL gave the operation up because of other transactions or a timeout (${code}: ${message}).${fate} Try again.`,
      { cause: error },
    );
  }
  // Data exceptions, and limits such as the size of an index's entry.
  if (/^(22|54)/.test(code)) {
    return new ValidationError(
      'value',
      `PostgreSQL can't work with a value of this call (${code}: ${message})`,
      {
        cause: error,
      },
    );
  }
  const check =
    checkByCode(code, message, at, fate) ??
    (isServersWord(source) ? serverCheck(code, message, at, fate) : checkByWords(message, at, fate));
  return check === undefined ? error : new StoreUnavailableError(check, { cause: error, outcome });
}

/** A sentence on what became of what was to be stored; empty where nothing was. */
function fateOf({ writes }: Circumstances, outcome: WriteOutcome): string {
  if (outcome === 'unknown') {
    return ` ${UNKNOWN_OUTCOME}`;
  }
  return writes ? ' Nothing was stored.' : '';
}

function translateGivenUp(
  error: GivenUp,
  { endpoint, writes }: Circumstances,
  outcome: WriteOutcome,
  fate: string,
): unknown {
  const { why, answered } = error;
  const server = describeServer(endpoint);
  const options = { cause: error, outcome };
  switch (why.kind) {
    case 'late':
      if (!answered) {
        return new StoreUnavailableError(
          `${server} didn't answer within ${callTimeout(why.timeoutMs)}, nor the request to cancel.${fate} Check the server and the network.`,
          options,
        );
      }
      return new StoreBusyError(
        `PostgreSQL needed longer than ${callTimeout(why.timeoutMs)} for a statement, which was cancelled.${fate} Try again. If it happens often, look for what holds the statement up (pg_stat_activity, pg_locks), or raise callTimeoutMs.`,
        { cause: error },
      );
    case 'no connection':
      return new StoreUnavailableError(
        `No connection to ${server} within ${callTimeout(why.timeoutMs)}. Either the server can't be reached, or other code holds the pool's connections: check the network, or raise the pool's "max".`,
        options,
      );
    case 'aborted':
      if (answered || !writes) return why.reason;
      return new StoreUnavailableError(
        `The call was aborted, and ${server} didn't say in time what it had done.${fate}`,
        {
          cause: why.reason,
          outcome,
        },
      );
    case 'closed':
      return new StoreUnavailableError(
        `The store was closed, and ${server} hadn't answered this call by then.${fate}`,
        options,
      );
    case 'unreachable':
      return new StoreUnavailableError(
        `${server} doesn't answer any more, new connections included.${fate} Check the server and the network.`,
        options,
      );
  }
}

function callTimeout(ms: number): string {
  return `callTimeoutMs (${ms.toLocaleString('en')} ms)`;
}

/** Node tries every address of a host and wraps what it got. */
function innermost(error: unknown): unknown {
  const { errors } = (error ?? {}) as { errors?: unknown };
  return Array.isArray(errors) && errors.length > 0 ? errors[0] : error;
}

function describeServer(at: Endpoint): string {
  return `PostgreSQL at ${at.host}:${at.port}`;
}

function checkByCode(
  code: string,
  message: string,
  { endpoint: at }: Circumstances,
  fate: string,
): string | undefined {
  const server = describeServer(at);
  if (/^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/.test(code))
    return tlsCheck(server, message);
  switch (code) {
    case 'ECONNREFUSED':
      return `${server} refuses connections. Check that the server runs (pg_isready -h ${at.host} -p ${at.port}), that it listens on this address (listen_addresses), and the firewall.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name "${at.host}" can't be resolved. Check POSTGRES_HOST or connection.host, and DNS.`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${server} can't be reached (${code}).${fate} Check the address, the network and the firewall.`;
    case 'ECONNRESET':
    case 'EPIPE':
      return `The connection to ${server} was cut.${fate}`;
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
      return `${server} ended the connection (${code}: ${message}): it is shutting down, or an administrator did it.${fate} Try again when it accepts connections.`;
    case '57P03':
      return `${server} is shutting down or starting up (${code}). Try again when it accepts connections.`;
  }
  return undefined;
}

function tlsCheck(server: string, message: string): string {
  return `The TLS connection to ${server} failed (${message}). Check connection.ssl: the server must offer TLS, and its certificate must be trusted (ssl.ca) and issued for this host.`;
}

/** Errors of the driver, which have no code. */
function checkByWords(message: string, { endpoint: at }: Circumstances, fate: string): string | undefined {
  const server = describeServer(at);
  if (isConnectionTimeout({ message })) {
    return `No connection to ${server} within connectionTimeoutMillis. Either the server can't be reached, or other code holds the pool's connections: check the network, or raise the pool's "max".`;
  }
  if (/SSL|TLS|certificate|self.signed/i.test(message)) return tlsCheck(server, message);
  if (/Cannot use a pool after calling end/.test(message)) {
    return "The store's pool has been ended. Close the store before a pool of yours.";
  }
  if (/Connection terminated|Client has encountered a connection error|Connection ended/.test(message)) {
    return `The connection to ${server} was closed.${fate}`;
  }
  if (/SASL|password must be a string/i.test(message)) {
    return `${server} asks for a password and none (or a wrong kind of value) was given for the user "${at.user}". Set POSTGRES_PASSWORD or connection.password.`;
  }
  return undefined;
}

function serverCheck(
  code: string,
  message: string,
  { endpoint, schema }: Circumstances,
  fate: string,
): string {
  if (code === '42501') return lackOfPrivilege(message, endpoint.user, schema);
  if (code === '25006') {
    return 'The server is read-only: it is a replica, or default_transaction_read_only is on. Connect to the primary.';
  }
  if (code === '53100' || code === '58030') {
    return `The server's disk failed or is full (${code}: ${message}).${fate}`;
  }
  if (/^(42P01|42703|3F000)$/.test(code)) {
    return `A table of the store isn't there, or isn't what it was (${code}: ${message}).${fate} Was the schema "${schema}" dropped, restored or upgraded while the store had it open? See what became of it, and open a new store.`;
  }
  if (code.startsWith('53')) return `The server has run out of a resource (${code}: ${message}).${fate}`;
  if (code.startsWith('08'))
    return `The connection failed (${code}: ${message}).${fate} Check the network and any pooler between.`;
  return `PostgreSQL refused the operation (${code}: ${message}).${fate}`;
}
