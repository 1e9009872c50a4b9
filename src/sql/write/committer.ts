import { AgentExistsError, AgentNotFoundError, LeaseNotHeldError, StoreBusyError } from '../../errors.ts';
import type { CommitResult } from '../../model/agent.ts';
import { neededLookups } from '../../model/call-book.ts';
import { checkVersion, repeatedResult } from '../../model/commit-rules.ts';
import type { EncodedCommit } from '../../model/encode-commit.ts';
import { leaseRefusal } from '../../model/lease-rules.ts';
import { Stopwatches } from '../../model/stopwatch.ts';
import { type AgentState, findState, loadState } from '../agent-state.ts';
import type { SqlContext } from '../context.ts';
import { readStanding, standingLease } from '../lease/standing-lease.ts';
import type { BatchOutcome } from '../port/batch.ts';
import { UniqueViolation } from '../port/driver.ts';
import { lookUpCalls } from '../read/calls.ts';
import { commonLength } from '../read/messages.ts';
import { createAgent } from './create.ts';
import { EventWriter } from './event-writer.ts';
import { findOperation, trimOperations } from './operations.ts';
import { type CommitPlan, type PlanOptions, planCommit, planEvents } from './plan.ts';
import { prefixLength } from './prefix.ts';
import { replacedBranch, replaceSnapshot, withNewSnapshot } from './replace-snapshot.ts';
import { RewriteRefused, rewriteConversation } from './rewrite.ts';
import { separateCalls } from './separate-calls.ts';
import { SerialQueue } from './serial-queue.ts';
import { StateCache } from './state-cache.ts';

/** After so many lost races against other processes the agent is plainly not ours to write to. */
export const MAX_TRIES = 64;

/**
 * The one write path. A commit is planned on the agent's remembered state and written in one batch that
 * holds only if the head is still at that state's revision; if it isn't, the state is loaded and the
 * commit planned again. So nothing is read in the normal case, and nothing is ever written on an outdated state.
 */
export class Committer {
  readonly events: EventWriter;
  readonly #context: SqlContext;
  readonly #states: StateCache;
  readonly #stopwatches = new Stopwatches();
  readonly #queue = new SerialQueue();

  constructor(context: SqlContext) {
    this.#context = context;
    this.#states = new StateCache();
    this.events = new EventWriter(context, this.#states);
  }

  async commit(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    if (change.eventsOnly) return this.#commitEvents(agentId, change);
    return this.exclusively(agentId, () => this.#commitState(agentId, change));
  }

  /** Creates the agent, or updates it: `saveInfo`. */
  async createOrUpdate(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    return this.exclusively(agentId, async () => {
      for (;;) {
        try {
          return await this.#commitState(agentId, change);
        } catch (error) {
          if (!(error instanceof AgentNotFoundError) || change.lease) throw error;
        }
        try {
          return await createAgent(this.#context, agentId, change, this.#timing(agentId));
        } catch (error) {
          // Somebody created it in between: then it is an update after all.
          if (!(error instanceof AgentExistsError)) throw error;
        }
      }
    });
  }

  /** State writes of one agent by this process go one after the other: they would only undo each other. */
  exclusively<T>(agentId: string, work: () => Promise<T>): Promise<T> {
    return this.#queue.run(agentId, work);
  }

  /** The turn of the last of those writes; undefined when none is under way. */
  lastTurn(agentId: string): Promise<unknown> | undefined {
    return this.#queue.last(agentId);
  }

  /** What a write that is no commit is planned on; undefined without the agent. */
  async stateOf(agentId: string): Promise<AgentState | undefined> {
    return this.#states.get(agentId) ?? (await this.#load(agentId));
  }

  /** The agent's state after such a write. */
  remember(agentId: string, state: AgentState): void {
    this.#states.set(agentId, state);
  }

  /** A piece of streamed text was saved: the commit that ends its step removes it. */
  noteDelta(agentId: string): void {
    this.#states.noteDelta(agentId);
  }

  /** After a change that didn't go through here. */
  forget(agentId: string): void {
    this.#states.delete(agentId);
  }

  /** Without a lease or an operation id, events need no knowledge of the agent and go out together. */
  async #commitEvents(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    if (!change.operation && !change.lease) {
      return new Promise((resolve, reject) => {
        this.events.append(agentId, change.events, change.at?.[0] ?? this.#now(), {
          resolve: (cursor, outcome) => resolve(toResult({ ...outcome, cursor })),
          reject,
        });
      });
    }
    for (let tries = 1; ; tries += 1) {
      const state = this.#states.get(agentId) ?? (await this.#load(agentId));
      if (!state) throw new AgentNotFoundError(agentId);
      let result: CommitResult | undefined;
      try {
        const outcome = await this.#context.driver.batch(planEvents(state, change, this.#now()));
        if (outcome.applied) {
          this.#states.noteInstant(agentId, outcome.at);
          return toResult(outcome);
        }
        result = await this.#explain(agentId, change, outcome);
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        result = await this.#repeated(agentId, change);
      }
      if (result) return result;
      this.#states.delete(agentId);
      await this.#pause(agentId, tries);
    }
  }

  /** Makes the conversation equal to `messages`, and writes only what comes after the common beginning. */
  async replaceMessages(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    return this.exclusively(agentId, async () => {
      for (let tries = 1; ; tries += 1) {
        const state = this.#states.get(agentId) ?? (await this.#load(agentId));
        if (!state) throw new AgentNotFoundError(agentId);
        const stored = state.head.messageCount;
        const common = await commonLength(
          this.#context.driver,
          state,
          change.messages,
          Math.min(change.messages.length, stored),
        );
        const rest = { ...change, messages: change.messages.slice(common) };
        const result =
          common === stored
            ? await this.#try(agentId, state, rest)
            : await this.#rewrite(agentId, state, common, rest);
        if (result) return result;
        this.#states.delete(agentId);
        await this.#pause(agentId, tries);
      }
    });
  }

  /** The cut and the new tail in one transaction; undefined when the agent changed meanwhile. */
  async #rewrite(
    agentId: string,
    state: AgentState,
    keep: number,
    change: EncodedCommit,
  ): Promise<CommitResult | undefined> {
    const branch = await this.#context.directory.newKey();
    this.#states.delete(agentId);
    try {
      return await this.#context.driver.transact(() =>
        rewriteConversation(state, keep, branch, change, this.#now()),
      );
    } catch (error) {
      if (error instanceof RewriteRefused) return this.#explain(agentId, change, error.outcome);
      throw error;
    }
  }

  async #pause(agentId: string, tries: number): Promise<void> {
    if (tries >= MAX_TRIES) {
      throw new StoreBusyError(
        `Agent "${agentId}" is being written by others without pause: ${tries} attempts lost the race. Write to an agent under its lease (acquireAgentLock).`,
      );
    }
    if (tries > 2)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5 * Math.min(tries, 10)));
  }

  async #commitState(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    for (let tries = 1; ; tries += 1) {
      const remembered = this.#states.get(agentId);
      const state = remembered ?? (await this.#load(agentId));
      if (!state) return this.#commitToMissing(agentId, change);
      const refused = await this.#checkVersion(agentId, state, change, remembered !== undefined);
      if (refused === 'stale') continue;
      if (refused) return refused;
      const result = await this.#try(agentId, state, change);
      if (result) return result;
      await this.#pause(agentId, tries);
    }
  }

  /** Spares a write that can't succeed, and tells creation apart from an update. */
  async #checkVersion(
    agentId: string,
    state: AgentState,
    change: EncodedCommit,
    remembered: boolean,
  ): Promise<CommitResult | 'stale' | undefined> {
    const expected = change.expectedVersion;
    if (expected === undefined || expected === state.head.version) return undefined;
    if (remembered) {
      this.#states.delete(agentId);
      return 'stale';
    }
    const first = await this.#repeated(agentId, change);
    if (first) return first;
    checkVersion(agentId, change, state.head.version);
    return undefined;
  }

  async #commitToMissing(agentId: string, change: EncodedCommit): Promise<CommitResult> {
    if (change.expectedVersion !== 0 || !change.info || change.lease) throw new AgentNotFoundError(agentId);
    try {
      return await createAgent(this.#context, agentId, change, this.#timing(agentId));
    } catch (error) {
      const first = error instanceof AgentExistsError ? await this.#repeated(agentId, change) : undefined;
      if (first) return first;
      throw error;
    }
  }

  /** One attempt; undefined when the state was outdated and is to be loaded again. */
  async #try(agentId: string, state: AgentState, change: EncodedCommit): Promise<CommitResult | undefined> {
    const lookups = neededLookups(change.messages, change.updates, state.known, state.head.unlinkedCalls);
    if (lookups.ids.size > 0 || lookups.seqs.size > 0) {
      state.known.add(await lookUpCalls(this.#context.driver, state, lookups));
    }
    const plan = planCommit(state, change, {
      now: this.#now(),
      timing: this.#timing(agentId),
      snapshotPosition: change.snapshot && (await prefixLength(this.#context.driver, state, change)),
    });
    if (plan.shared.length > 0) {
      await this.#context.driver.transact(() => separateCalls(state, plan.shared));
      if (plan.inherits) {
        this.#states.delete(agentId);
        return undefined;
      }
    }
    let outcome: BatchOutcome;
    try {
      outcome = await this.#write(state, change, plan);
    } catch (error) {
      this.#states.delete(agentId);
      if (!(error instanceof UniqueViolation)) throw error;
      // The operation was done before, or a row was written that this plan didn't know of: plan again.
      return this.#repeated(agentId, change);
    }
    if (!outcome.applied) {
      this.#states.delete(agentId);
      return this.#explain(agentId, change, outcome);
    }
    state.known.addStored(plan.calls);
    state.known.trim();
    this.#states.set(agentId, stateAfter(state, plan.next, outcome));
    if (change.operation)
      await trimOperations(this.#context.driver, state.keys, plan.next.version, outcome.at);
    return { version: plan.next.version, messageCount: plan.next.messageCount, cursor: outcome.cursor };
  }

  /** One batch; where it takes the place of a snapshot of another branch, what only that one kept is freed with it. */
  async #write(state: AgentState, change: EncodedCommit, plan: CommitPlan): Promise<BatchOutcome> {
    const { driver } = this.#context;
    // Who never left a branch has no snapshot of another one.
    if (!change.snapshot || state.chain.length === 1) return driver.batch(plan.batch);
    try {
      return await driver.batch(withNewSnapshot(plan.batch));
    } catch (error) {
      if (!(error instanceof UniqueViolation) || error.table !== 'snapshots') throw error;
    }
    const replaced = await replacedBranch(driver, state, change.snapshot.id);
    if (replaced === undefined) return driver.batch(plan.batch);
    try {
      return await driver.transact(() => replaceSnapshot(state, replaced, plan.batch));
    } catch (error) {
      if (error instanceof RewriteRefused) return error.outcome;
      throw error;
    }
  }

  /** Why a batch was refused: returns an earlier result, throws, or says by undefined to try again. */
  async #explain(
    agentId: string,
    change: EncodedCommit,
    outcome: BatchOutcome,
  ): Promise<CommitResult | undefined> {
    if (!outcome.pinHeld) return undefined;
    const { head } = outcome;
    if (!head) {
      this.#context.directory.forget(agentId);
      return undefined;
    }
    const first = await this.#repeated(agentId, change);
    if (first) return first;
    const leased = head.leaseHolder !== null && (head.leaseExpiresAt ?? 0) > head.now;
    const { leaseHolder: holderId, leaseToken: token } = head;
    const last = holderId === null ? undefined : { token, holderId };
    const reason = leaseRefusal(change.lease, last, leased);
    if (reason !== undefined) throw await this.#notHeld(agentId, reason, leased);
    checkVersion(agentId, change, head.version);
    return undefined;
  }

  /** `leased`: somebody has a lease, whose holder is told. */
  async #notHeld(agentId: string, reason: string, leased: boolean): Promise<LeaseNotHeldError> {
    const { directory, driver } = this.#context;
    const keys = leased ? await directory.find(agentId) : undefined;
    const row = keys && (await readStanding(driver, keys));
    return new LeaseNotHeldError(agentId, reason, row && standingLease(agentId, row));
  }

  #now(): number {
    return this.#context.driver.time.now();
  }

  #timing(agentId: string): PlanOptions['timing'] {
    return { stopwatch: this.#stopwatches.of(agentId), monotonic: this.#context.driver.clock.monotonic() };
  }

  async #load(agentId: string): Promise<AgentState | undefined> {
    const { directory, driver } = this.#context;
    const keys = directory.recall(agentId);
    const known = keys && (await loadState(driver, keys));
    if (known) return known;
    // It may have been deleted and created anew.
    directory.forget(agentId);
    const found = await findState(driver, agentId);
    if (found) directory.remember(agentId, found.keys);
    return found;
  }

  /** The result of an operation that was done before; undefined if it wasn't. */
  async #repeated(
    agentId: string,
    change: Pick<EncodedCommit, 'operation'>,
  ): Promise<CommitResult | undefined> {
    if (!change.operation) return undefined;
    const keys = await this.#context.directory.find(agentId);
    const known = keys && (await findOperation(this.#context.driver, keys, change.operation.id));
    return repeatedResult(agentId, change.operation, known);
  }
}

function stateAfter(
  { keys, chain, known }: AgentState,
  next: AgentState['head'],
  outcome: BatchOutcome,
): AgentState {
  const [own, ...ancestors] = chain;
  const head = { ...next };
  head.cursor = outcome.cursor;
  head.lastAt = outcome.at;
  if (!own) return { keys, head, chain, known };
  const longer = { ...own };
  longer.hi = next.messageCount;
  longer.callHi = next.callCount;
  return { keys, head, chain: [longer, ...ancestors], known };
}

function toResult(outcome: BatchOutcome): CommitResult {
  return {
    version: outcome.head?.version ?? 0,
    messageCount: outcome.head?.messageCount ?? 0,
    cursor: outcome.cursor,
  };
}
