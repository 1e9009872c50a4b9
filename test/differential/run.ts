import assert from 'node:assert/strict';
import { KodeError } from '../../src/errors.ts';
import type { CommitResult, TurnCommit } from '../../src/model/agent.ts';
import type { Store } from '../../src/store/store.ts';
import type { Backend, TestDatabase } from '../../src/testing/harness.ts';
import { Model } from './model.ts';
import type { ModelAgent } from './model-agent.ts';

/**
 * Instants that the run gives are in the future, a second apart: what a store stamps by its own clock is
 * raised to an agent's last instant and so known, and time orders everything.
 */
const START = Date.UTC(2100, 0, 1);
const MISSING = 'nobody';

type Outcome<T> = { value: T } | { code: string; error: KodeError };

async function outcome<T>(call: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await call() };
  } catch (error) {
    if (error instanceof KodeError) return { code: error.code, error };
    throw error;
  }
}

/** A store and the model beside it: every call goes to both, and their answers are compared. */
export class Run {
  readonly model = new Model();
  readonly extended: boolean;
  /** Commits with an operation id, for being sent again. */
  readonly sent: { agentId: string; change: TurnCommit }[] = [];
  readonly #database: TestDatabase;
  #store: Store | undefined;
  #ticks = 0;

  constructor(backend: Backend, database: TestDatabase) {
    this.extended = backend.capabilities.extended;
    this.#database = database;
  }

  get store(): Store {
    assert.ok(this.#store, 'the store is open');
    return this.#store;
  }

  async open(): Promise<void> {
    this.#store = await this.#database.open();
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }

  tick(): Date {
    this.#ticks += 1;
    return new Date(START + this.#ticks * 1_000);
  }

  /** A number that no earlier part of the run was given. */
  get ticks(): number {
    return this.#ticks;
  }

  /** The instant at this share of the run so far. */
  instant(share: number): number {
    return START + Math.round(share * this.#ticks) * 1_000;
  }

  /** The agent that a number stands for: one that lives, and now and then one that doesn't. */
  agentId(n: number): string {
    const { agents } = this.model;
    return n === 9 ? MISSING : (agents[n % Math.max(agents.length, 1)]?.id ?? MISSING);
  }

  living(n: number): ModelAgent | undefined {
    return this.model.find(this.agentId(n));
  }

  /** Both succeed, or both fail with the same code. Gives the values of a success. */
  async both<T, M>(
    actual: () => Promise<T>,
    expected: () => M | Promise<M>,
  ): Promise<{ actual: T; expected: M } | undefined> {
    const first = await outcome(actual);
    const second = await outcome(expected);
    if ('value' in first && 'value' in second) return { actual: first.value, expected: second.value };
    assert.deepEqual(codeOf(first), codeOf(second), 'error' in first ? String(first.error.stack) : undefined);
    return undefined;
  }

  /**
   * A write of state. Without an instant of the run's own, the model is told the one that the store chose,
   * which mustn't be before anything that the agent has.
   */
  async write<T>(
    agentId: string,
    actual: () => Promise<T>,
    expected: (at: number) => unknown,
    given?: Date,
  ): Promise<boolean> {
    const last = this.model.find(agentId)?.lastAt ?? 0;
    const result = await this.both(actual, async () => {
      const info = await this.store.loadInfo(agentId);
      const stamp = info?.updatedAt.getTime() ?? 0;
      return { value: expected(given?.getTime() ?? Math.max(stamp, last)), stamp };
    });
    if (!result) return false;
    const { stamp, value } = result.expected;
    if (given) assert.equal(stamp, given.getTime(), 'updatedAt is the instant of the last commit');
    else assert.ok(stamp >= last, `instants run backwards: ${stamp} after ${last}`);
    if (value !== undefined) assert.deepEqual(result.actual, value);
    return true;
  }

  /** A commit with an instant of the run's own, unless `change` brings one that is too early. */
  async commit(agentId: string, change: TurnCommit, stamped = true): Promise<CommitResult | undefined> {
    const at = stamped ? this.tick() : undefined;
    const whole = at ? { ...change, at, allowFuture: true } : change;
    let result: CommitResult | undefined;
    await this.write(
      agentId,
      async () => {
        result = await this.store.commit(agentId, whole);
        return result;
      },
      (instant) => this.model.commit(agentId, whole, instant),
      at,
    );
    if (result && change.operationId !== undefined) this.sent.push({ agentId, change: whole });
    return result;
  }
}

function codeOf(result: Outcome<unknown>): string {
  return 'value' in result ? 'success' : result.code;
}
