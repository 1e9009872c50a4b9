import { ValidationError } from '../errors.ts';
import { isAbortSignal, ownSignal } from '../model/foreign.ts';
import { describe } from '../model/ids.ts';
import { reading } from '../model/json.ts';
import { fieldsOf, knownKeys } from '../model/known-keys.ts';
import { checkLeaseOptions } from '../store/arguments.ts';
import type { AgentLease, ExtendedStore, Store } from '../store/store.ts';
import type {
  CreateOptions,
  FollowOptions,
  OpenOptions,
  ResumeOptions,
  TurnOptions,
} from './agent-options.ts';
import { checkObjects } from './check-objects.ts';
import type { SpawnOptions } from './tool-context.ts';
import type { PromptOptions } from './translate/sendable-part.ts';
import type { UIMessageStreamOptions, UIMessagesOptions } from './translate/ui-options.ts';

/** Who and why: what may be said of a decision beside the decision. */
export interface DecisionNote {
  /** Who decided: stored with the decision. */
  by?: string;
  /** Why. The model is told it with a denial. */
  note?: string;
  /** Names the call where its `toolCallId` repeats. */
  callSeq?: number;
}

const NO_OPTION = 'is no option of this call';

const CREATE = knownKeys<CreateOptions>(NO_OPTION, {
  store: true,
  provider: true,
  model: true,
  template: true,
  holder: true,
  agentId: true,
  userId: true,
  metadata: true,
  ttlMs: true,
});

const RESUME_KEYS = {
  store: true,
  provider: true,
  model: true,
  template: true,
  holder: true,
  lease: true,
  waitMs: true,
  ttlMs: true,
} as const;

const RESUME = knownKeys<ResumeOptions>(NO_OPTION, RESUME_KEYS);
const OPEN = knownKeys<OpenOptions>(NO_OPTION, { ...RESUME_KEYS, userId: true, metadata: true });

const TURN = knownKeys<TurnOptions>(NO_OPTION, {
  signal: true,
  operationId: true,
  output: true,
  whenBusy: true,
});

const NOTE = knownKeys<DecisionNote>('is no field of a decision', { by: true, note: true, callSeq: true });
const SPAWN = knownKeys<SpawnOptions>(NO_OPTION, {
  key: true,
  provider: true,
  metadata: true,
  decisionWaitMs: true,
});
const FOLLOW = knownKeys<FollowOptions>(NO_OPTION, { since: true, signal: true });
const PROMPT = knownKeys<PromptOptions>(NO_OPTION, { provider: true, tools: true, onLeftOut: true });
const UI = knownKeys<UIMessagesOptions>(NO_OPTION, { toolCalls: true, firstSeq: true, idOf: true });

const UI_STREAM = knownKeys<UIMessageStreamOptions>(NO_OPTION, {
  messageId: true,
  onError: true,
  sendReasoning: true,
  sendSources: true,
});

export function checkCreateOptions(options: CreateOptions): CreateOptions {
  const fields = fieldsOf('options', options, CREATE);
  checkStore(fields.store);
  checkLeaseOptions(leaseOptionsOf(fields));
  return fields;
}

export function checkResumeOptions(options: ResumeOptions): ResumeOptions {
  const fields = fieldsOf('options', options, RESUME);
  checkStore(fields.store);
  checkLeaseOptions(leaseOptionsOf(fields));
  checkAgentLease(fields.lease);
  return fields;
}

export function checkOpenOptions(options: OpenOptions): OpenOptions {
  const fields = fieldsOf('options', options, OPEN);
  checkStore(fields.store);
  checkLeaseOptions(leaseOptionsOf(fields));
  checkAgentLease(fields.lease);
  return fields;
}

export function checkTurnOptions(options: TurnOptions): TurnOptions {
  const { whenBusy, signal, ...fields } = fieldsOf('options', options, TURN);
  if (whenBusy !== undefined && whenBusy !== 'reject' && whenBusy !== 'queue') {
    throw new ValidationError('whenBusy', 'must be "reject" or "queue"');
  }
  return { ...fields, whenBusy, signal: checkSignal(signal) };
}

export function checkNote(decision: DecisionNote): DecisionNote {
  return fieldsOf('decision', decision, NOTE);
}

export function checkSpawnOptions(options: SpawnOptions): SpawnOptions {
  const fields = fieldsOf('options', options, SPAWN);
  const { decisionWaitMs } = fields;
  if (decisionWaitMs !== undefined && !(Number.isFinite(decisionWaitMs) && decisionWaitMs >= 0)) {
    throw new ValidationError('decisionWaitMs', 'must be a number of milliseconds, 0 or more');
  }
  if (fields.key === undefined || typeof fields.key === 'string') return fields;
  throw new ValidationError('key', `must be a string, not ${describe(fields.key)}`);
}

export function checkFollowOptions(options: FollowOptions): FollowOptions {
  const { since, signal } = fieldsOf('options', options, FOLLOW);
  return { since, signal: checkSignal(signal) };
}

export function checkPromptOptions(options: PromptOptions): PromptOptions {
  const fields = fieldsOf('options', options, PROMPT);
  checkFunction('onLeftOut', fields.onLeftOut);
  return fields;
}

export function checkUIOptions(options: UIMessagesOptions): UIMessagesOptions {
  const fields = fieldsOf('options', options, UI);
  const { toolCalls, firstSeq, idOf } = fields;
  if (toolCalls !== undefined) fields.toolCalls = checkObjects('toolCalls', toolCalls);
  if (firstSeq !== undefined && !Number.isSafeInteger(firstSeq)) {
    throw new ValidationError('firstSeq', 'must be a whole number');
  }
  checkFunction('idOf', idOf);
  return fields;
}

export function checkUIStreamOptions(options: UIMessageStreamOptions): UIMessageStreamOptions {
  const fields = fieldsOf('options', options, UI_STREAM);
  checkFunction('onError', fields.onError);
  return fields;
}

/** Before anything is written: an agent that is made would stay where its lease is then refused. */
function leaseOptionsOf({ ttlMs, waitMs, holder }: Partial<ResumeOptions>) {
  return { ttlMs, waitMs, holder };
}

/** A lease's plain values are enough to write, and not to hear of its end and to give it back. */
function checkAgentLease(lease: unknown): void {
  if (lease === undefined) return;
  const isLease = reading('lease', () => {
    const { release, signal } = (lease ?? {}) as Partial<AgentLease>;
    return typeof release === 'function' && isAbortSignal(signal);
  });
  if (isLease) return;
  throw new ValidationError(
    'lease',
    `must be a lease from acquireAgentLock() or claimResumable(), not ${describe(lease)}`,
  );
}

/** By what is called of it: it may be somebody's own, or of another copy of this package. */
export function checkStore(store: unknown): asserts store is Store {
  const isStore = reading('store', () => {
    const { commit, loadWorkingSet, acquireAgentLock } = (store ?? {}) as Partial<Store>;
    return [commit, loadWorkingSet, acquireAgentLock].every((method) => typeof method === 'function');
  });
  if (isStore) return;
  throw new ValidationError(
    'store',
    `must be a store, as createExtendedStore() opens it, not ${describe(store)}`,
  );
}

/** A store of JSON files can be written to by agents, and not be watched. */
export function checkWatchable(store: unknown): void {
  checkStore(store);
  if (reading('store', () => typeof (store as Partial<ExtendedStore>).watch === 'function')) return;
  throw new ValidationError('store', "can't be watched; a SqliteStore or a PostgresStore can");
}

function checkFunction(field: string, value: unknown): void {
  if (value === undefined || typeof value === 'function') return;
  throw new ValidationError(field, `must be a function, not ${describe(value)}`);
}

function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  if (reading('signal', () => isAbortSignal(signal))) return ownSignal(signal as AbortSignal);
  throw new ValidationError('signal', `must be an AbortSignal, not ${describe(signal)}`);
}
