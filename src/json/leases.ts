import { LeaseNotHeldError, LockTimeoutError, StoreClosedError } from '../errors.ts';
import type { LeaseToken } from '../model/agent.ts';
import type { Clock, Timer } from '../model/clock.ts';
import { randomUUID } from '../model/crypto.ts';
import type { CheckedLease } from '../store/arguments.ts';
import type { AgentLease } from '../store/store.ts';

/** Tokens of one opening of the store; the next opening's are all higher. */
const TOKENS_PER_GENERATION = 2 ** 24;

interface Held {
  token: LeaseToken;
  ttlMs: number;
  /** By the monotonic clock: setting the system's time ends no lease. */
  deadline: number;
  renewal: Timer;
  ended: AbortController;
}

/**
 * Leases live in memory: the process that has the store open is the only one that can hold any, and they
 * end with it. Their tokens rise from one opening of the store to the next, with its lock's generation.
 */
export class Leases {
  readonly #held = new Map<string, Held>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #clock: Clock;
  #lastToken: number;
  #closed = false;

  constructor(generation: number, clock: Clock) {
    this.#clock = clock;
    this.#lastToken = generation * TOKENS_PER_GENERATION;
  }

  /** Waits for another holder as long as the options say. `exists` throws if there is no such agent. */
  async acquire(
    agentId: string,
    { ttlMs, waitMs }: CheckedLease,
    exists: () => Promise<void>,
  ): Promise<AgentLease> {
    const start = this.#clock.monotonic();
    for (;;) {
      await exists();
      if (this.#closed) throw new StoreClosedError();
      const holder = this.#current(agentId);
      if (!holder) return this.#grant(agentId, ttlMs);
      const now = this.#clock.monotonic();
      const left = start + waitMs - now;
      if (left <= 0) throw new LockTimeoutError(agentId, waitMs);
      await this.#change(agentId, Math.min(left, holder.deadline - now));
    }
  }

  /** Throws unless a write with this lease, or with none, may go on. */
  check(agentId: string, lease: LeaseToken | undefined): void {
    const expired = this.#held.get(agentId);
    const holder = this.#current(agentId);
    if (!lease) {
      if (holder) throw new LeaseNotHeldError(agentId, 'another holder has it');
      return;
    }
    if (holder && isSame(holder.token, lease)) return;
    throw new LeaseNotHeldError(
      agentId,
      !holder && expired && isSame(expired.token, lease)
        ? 'it expired before it was renewed'
        : 'it was released or taken over by another holder',
    );
  }

  /** The agent was deleted. */
  drop(agentId: string): void {
    const held = this.#held.get(agentId);
    if (held) this.#end(agentId, held);
  }

  /** Grants none any more, and ends the wait of everybody who waits for one. */
  refuse(): void {
    this.#closed = true;
    for (const agentId of [...this.#waiting.keys()]) this.#wake(agentId);
  }

  /** Ends all leases. */
  close(): void {
    this.refuse();
    for (const [agentId, held] of this.#held) this.#end(agentId, held);
  }

  /** The holder; one whose time ran out is none any more. */
  #current(agentId: string): Held | undefined {
    const held = this.#held.get(agentId);
    if (held && held.deadline <= this.#clock.monotonic()) {
      this.#end(agentId, held);
      return undefined;
    }
    return held;
  }

  #end(agentId: string, held: Held): void {
    held.renewal.cancel();
    if (this.#held.get(agentId) === held) this.#held.delete(agentId);
    held.ended.abort();
    this.#wake(agentId);
  }

  #grant(agentId: string, ttlMs: number): AgentLease {
    this.#lastToken += 1;
    const token: LeaseToken = { agentId, token: this.#lastToken, holderId: randomUUID() };
    const deadline = this.#clock.monotonic() + ttlMs;
    const renewal = this.#clock.after(ttlMs / 3, () => this.#renew(agentId, held));
    const held: Held = { token, ttlMs, deadline, renewal, ended: new AbortController() };
    this.#held.set(agentId, held);
    return asLease(this.#clock, held, () => {
      if (this.#held.get(agentId) === held) this.#end(agentId, held);
    });
  }

  #renew(agentId: string, held: Held): void {
    if (this.#current(agentId) !== held) return;
    held.deadline = this.#clock.monotonic() + held.ttlMs;
    held.renewal = this.#clock.after(held.ttlMs / 3, () => this.#renew(agentId, held));
  }

  /** Until the holder changes, or the time is over. */
  #change(agentId: string, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(agentId) ?? new Set();
      this.#waiting.set(agentId, waiting);
      const done = () => {
        timer.cancel();
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(agentId) === waiting) this.#waiting.delete(agentId);
        resolve();
      };
      const timer = this.#clock.after(ms, done, { ref: true });
      waiting.add(done);
    });
  }

  #wake(agentId: string): void {
    for (const done of [...(this.#waiting.get(agentId) ?? [])]) done();
  }
}

function asLease(clock: Clock, held: Held, end: () => void): AgentLease {
  const release = async () => end();
  return Object.defineProperties(release, {
    agentId: { value: held.token.agentId, enumerable: true },
    token: { value: held.token.token, enumerable: true },
    holderId: { value: held.token.holderId, enumerable: true },
    expiresAt: {
      get: () => new Date(clock.now() + Math.round(held.deadline - clock.monotonic())),
      enumerable: true,
    },
    signal: { value: held.ended.signal, enumerable: true },
    release: { value: release },
    [Symbol.asyncDispose]: { value: release },
  }) as unknown as AgentLease;
}

function isSame(held: LeaseToken, given: LeaseToken): boolean {
  return held.token === given.token && held.holderId === given.holderId;
}
