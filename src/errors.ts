/**
 * Every error that leaves the store is one of these classes. Callers branch on `code` (stable across
 * releases) or on `instanceof`; the message is for people, names the thing, and says what to do next.
 */
export class KodeError extends Error {
  /** Stable machine-readable name of the failure. */
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.name = new.target.name;
  }
}

const SHOWN_LENGTH = 80;

/** A text that came from outside, as it stands in a message: in quotes, and only its beginning if it is long. */
export function quoted(value: string): string {
  const shown = value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value;
  return JSON.stringify(shown);
}

/** The configuration (a constructor argument or an environment variable) is missing or wrong. */
export class StoreConfigError extends KodeError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_CONFIG', message, options);
  }
}

/** A value given to the store can't be stored or isn't understood. `field` is the path of the value. */
export class ValidationError extends KodeError {
  /**
   * Path of the refused value: an argument, and the keys and places below it (`messages[2].content[0].id`).
   */
  readonly field: string;

  constructor(field: string, problem: string, options?: { cause?: unknown }) {
    super('VALIDATION', `${field}: ${problem}`, options);
    this.field = field;
  }
}

/** The store has no agent with this id. */
export class AgentNotFoundError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  /** `remedy`: how to make one, where that isn't a call of the store. */
  constructor(
    agentId: string,
    remedy = 'Create it with saveInfo(), or with commit({ info, expectedVersion: 0 })',
    options?: { cause?: unknown },
  ) {
    super(
      'AGENT_NOT_FOUND',
      `Agent "${agentId}" does not exist in this store. ${remedy}; or check the id with the store's list().`,
      options,
    );
    this.agentId = agentId;
  }
}

/**
 * There is an agent with this id already: a commit with `expectedVersion: 0`, or a fork, was to create it.
 */
export class AgentExistsError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;

  constructor(agentId: string) {
    super(
      'AGENT_EXISTS',
      `Agent "${agentId}" exists already. Resume it, choose another id, or delete it first.`,
    );
    this.agentId = agentId;
  }
}

/** Somebody else committed first. Nothing of the refused commit was stored. */
export class VersionConflictError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** The commit's `expectedVersion`. */
  readonly expected: number;
  /** The version that the agent has. */
  readonly actual: number;

  constructor(agentId: string, expected: number, actual: number) {
    super(
      'VERSION_CONFLICT',
      `Agent "${agentId}" is at version ${actual}, the commit expected ${expected}. Load the agent again, redo the change on what is there, and commit with the new version.`,
    );
    this.agentId = agentId;
    this.expected = expected;
    this.actual = actual;
  }
}

/** The approval of this call was decided before, by whomever. A decision is final. */
export class AlreadyDecidedError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** The call that was to be decided. */
  readonly toolCallId: string;

  constructor(agentId: string, toolCallId: string, decision: string) {
    super(
      'ALREADY_DECIDED',
      `The approval of tool call ${quoted(toolCallId)} of agent "${agentId}" was decided before ("${decision}"). A decision is final: load the call to see who made it.`,
    );
    this.agentId = agentId;
    this.toolCallId = toolCallId;
  }
}

/** Who holds a lease. */
export interface LeaseHolder {
  /** The machine's host name. */
  readonly host: string;
  /** The process, as its machine counts it. */
  readonly pid: number;
  /** What the application calls it: the option `holder` of the store, or of the call that got the lease. */
  readonly name?: string;
}

/** A lease that stands in a call's way, as far as it is known. */
export interface StandingLease {
  /** Undefined where the store knows only that somebody holds it. */
  readonly holder?: LeaseHolder | undefined;
  /** When it ends unless it is renewed. */
  readonly expiresAt?: Date | undefined;
  /** The very process that made the call holds it. */
  readonly here: boolean;
}

/** The write needs the agent's lease, and the caller doesn't hold it (any more). */
export class LeaseNotHeldError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** Who holds the lease; absent where that isn't known. */
  declare readonly holder?: LeaseHolder;
  /** When that lease ends unless it is renewed; absent where that isn't known. */
  declare readonly expiresAt?: Date;

  /** `standing`: the lease that somebody has now. `remedy`: what to do where there is no write to pass a lease with. */
  constructor(agentId: string, reason: string, standing?: StandingLease, remedy = remedyOf(standing)) {
    const now = standing ? `, and ${describeHolder(standing)} holds the lease${describeEnd(standing)}` : '';
    super(
      'LEASE_NOT_HELD',
      `This write doesn't hold the lease on agent "${agentId}": ${reason}${now}. ${remedy}`,
    );
    this.agentId = agentId;
    Object.assign(this, known(standing));
  }
}

function remedyOf(standing: StandingLease | undefined): string {
  return standing?.here
    ? 'Pass that one with the write: { lease }. The lease of an open agent is agent.lease.'
    : 'Get a lease with acquireAgentLock() and pass it with the write.';
}

/** Somebody else holds the agent's lease, and held it for as long as the call waited. */
export class LockTimeoutError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** Who holds the lease; absent where that isn't known. */
  declare readonly holder?: LeaseHolder;
  /** When that lease ends unless it is renewed; absent where that isn't known. */
  declare readonly expiresAt?: Date;

  constructor(agentId: string, waitedMs: number, standing: StandingLease = { here: false }) {
    const waited = `and it stayed so for the ${waitedMs} ms that this call waited`;
    const remedy = standing.here
      ? 'Pass the lease that this process has: { lease } (of an open agent, agent.lease); or release it first.'
      : 'Try again later, or pass a longer { waitMs }.';
    super(
      'LOCK_TIMEOUT',
      `Agent "${agentId}" is leased by ${describeHolder(standing)}${describeEnd(standing)}, ${waited}. ${remedy}`,
    );
    this.agentId = agentId;
    Object.assign(this, known(standing));
  }
}

/** Consoles print whatever fields an error has: what isn't known is none of them. */
function known({ holder, expiresAt }: Partial<StandingLease> = {}): Partial<StandingLease> {
  return { ...(holder && { holder }), ...(expiresAt && { expiresAt }) };
}

function describeHolder({ holder, here }: StandingLease): string {
  const name = holder?.name === undefined ? '' : ` ("${holder.name}")`;
  if (here) return `this process itself${name}`;
  return holder ? `process ${holder.pid} on ${holder.host}${name}` : 'another holder';
}

function describeEnd({ expiresAt }: StandingLease): string {
  return expiresAt ? ` until ${expiresAt.toISOString()} unless it is renewed` : '';
}

/** Retention removed events that the reader hasn't seen: it can't go on without a gap. */
export class EventsPrunedError extends KodeError {
  /** The agent that the call was about. */
  readonly agentId: string;
  /** Cursor of the oldest event that is left: reading goes on after `oldestCursor - 1`. */
  readonly oldestCursor: number;

  constructor(agentId: string, since: number, oldestCursor: number) {
    super(
      'EVENTS_PRUNED',
      `Events of agent "${agentId}" after cursor ${since} were removed by retention; the oldest one left has cursor ${oldestCursor}. Load the agent's state and go on from there.`,
    );
    this.agentId = agentId;
    this.oldestCursor = oldestCursor;
  }
}

/**
 * Whether what a failed call was to write is stored. `none`: nothing of it. `unknown`: the database may have
 * stored it and couldn't say so any more; a commit that is repeated with its `operationId` is stored once.
 */
export type WriteOutcome = 'none' | 'unknown';

/** The database can't be reached or refuses connections. The message says which check to make. */
export class StoreUnavailableError extends KodeError {
  /** Whether what the call was to write is stored; `none` for calls that only read. */
  readonly outcome: WriteOutcome;

  constructor(message: string, options: { cause?: unknown; outcome?: WriteOutcome } = {}) {
    super('STORE_UNAVAILABLE', message, options);
    this.outcome = options.outcome ?? 'none';
  }
}

/** Others hold what this call needs, or fill the line before it, for longer than the store waits. */
export class StoreBusyError extends KodeError {
  /** Nothing of what the call was to write is stored. */
  readonly outcome: WriteOutcome = 'none';

  constructor(message: string, options?: { cause?: unknown }) {
    super('STORE_BUSY', message, options);
  }
}

/** The call came after `close()`. */
export class StoreClosedError extends KodeError {
  constructor() {
    super('STORE_CLOSED', 'This store is closed. Open a new one with createExtendedStore().');
  }
}

/** The store was opened with `{ readOnly: true }`, and the call would write. */
export class StoreReadOnlyError extends KodeError {
  constructor(place: string) {
    super(
      'STORE_READ_ONLY',
      `The store in "${place}" was opened with { readOnly: true }, and this call would write. Open it without that option to change anything.`,
    );
  }
}

/** What is on disk isn't what the store wrote. */
export class CorruptDataError extends KodeError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('CORRUPT_DATA', message, options);
  }
}

/** The database's schema is newer than this version of the package, or was changed by hand. */
export class SchemaVersionError extends KodeError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('SCHEMA_VERSION', message, options);
  }
}
