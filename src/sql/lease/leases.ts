import { LockTimeoutError, type StandingLease, StoreClosedError } from '../../errors.ts';
import { type Clock, sleep } from '../../model/clock.ts';
import { randomUUID } from '../../model/crypto.ts';
import { type Reading, readingOf } from '../../model/lease-time.ts';
import type { CheckedClaim, CheckedLease } from '../../store/arguments.ts';
import type { AgentLease } from '../../store/store.ts';
import { thisHolder } from '../../store/this-holder.ts';
import { number } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import { statement } from '../port/statement.ts';
import type { Row } from '../port/values.ts';
import { CLAIM } from './claim.ts';
import { HeldLeases } from './held-leases.ts';
import type { Grant } from './lease-statements.ts';
import { type LeaseRow, readStanding, standingLease } from './standing-lease.ts';

const POLL_MS = 40;

/** Free, run out, or (after a contender has watched it stand still for its whole time) dead. */
const ACQUIRE = statement(
  'acquire_lease',
  `UPDATE {heads} SET lease_token = lease_token + 1, lease_holder_id = $3, lease_by = $4, lease_ttl = $5,
     lease_expires_at = {now} + $5
   WHERE tree = $1 AND agent = $2
     AND (lease_holder_id IS NULL OR lease_expires_at <= {now} OR (lease_token = $6 AND lease_expires_at = $7))
   RETURNING lease_token, lease_expires_at`,
);

/** Gets leases; `held` keeps them alive and gives them back. */
export class Leases {
  readonly held: HeldLeases;
  readonly #context: SqlContext;
  readonly #clock: Clock;
  readonly #holder: string | undefined;

  /** `holder`: the name under which leases are held, unless a call says another. */
  constructor(context: SqlContext, holder: string | undefined) {
    this.#context = context;
    this.#clock = context.driver.clock;
    this.#holder = holder;
    this.held = new HeldLeases(context.driver);
  }

  /** Waiting ends with `closing`. */
  async acquire(
    agentId: string,
    { ttlMs, waitMs, holder = this.#holder }: CheckedLease,
    closing: AbortSignal,
  ): Promise<AgentLease> {
    const wanted = { agentId, ttlMs, holderId: randomUUID(), holder: thisHolder(holder) };
    const contender = new Contender(this.#clock);
    const start = this.#clock.monotonic();
    for (;;) {
      const lease = await this.#try(wanted, contender);
      if (lease) return lease;
      if (closing.aborted) throw new StoreClosedError();
      const left = start + waitMs - this.#clock.monotonic();
      if (left <= 0) throw new LockTimeoutError(agentId, waitMs, contender.standing(agentId));
      await sleep(this.#clock, Math.min(POLL_MS * (0.5 + Math.random()), left));
    }
  }

  /** `onGivenUp` is told of agents that have had all their attempts. */
  async claim(
    { limit, ttlMs, maxAttempts, holder = this.#holder }: CheckedClaim,
    onGivenUp: (agentId: string, attempts: number) => void,
  ): Promise<AgentLease[]> {
    const wanted = { ttlMs, holderId: randomUUID(), holder: thisHolder(holder) };
    const claimed: AgentLease[] = [];
    for (;;) {
      const asked = readingOf(this.#clock);
      const left = limit - claimed.length;
      const params = [wanted.holderId, ttlMs, left, JSON.stringify(wanted.holder), maxAttempts];
      const rows = await this.#context.driver.write(CLAIM, params);
      // RETURNING has no order: what was left alone longest comes first here too.
      rows.sort((a, b) => number(a.updated_at) - number(b.updated_at) || number(a.agent) - number(b.agent));
      for (const row of rows) {
        const agentId = String(row.agent_id);
        const keys = { tree: number(row.tree), agent: number(row.agent) };
        this.#context.directory.remember(agentId, keys);
        if (row.lease_holder_id === null) onGivenUp(agentId, number(row.attempts));
        else claimed.push(this.#hold({ ...wanted, agentId, keys }, row, asked));
      }
      // Those who were given up took the place of others.
      if (rows.length < left || claimed.length >= limit) return claimed;
    }
  }

  async #try(wanted: Omit<Grant, 'keys' | 'token'>, contender: Contender): Promise<AgentLease | undefined> {
    const asked = readingOf(this.#clock);
    const lease = await this.#context.directory.resolve(wanted.agentId, async (keys) => {
      const dead = contender.dead();
      const [row] = await this.#context.driver.write(ACQUIRE, [
        keys.tree,
        keys.agent,
        wanted.holderId,
        JSON.stringify(wanted.holder),
        wanted.ttlMs,
        dead?.token ?? null,
        dead?.expiresAt ?? null,
      ]);
      if (row) return this.#hold({ ...wanted, keys }, row, asked);
      const standing = await readStanding(this.#context.driver, keys);
      if (!standing) return undefined;
      contender.see(standing);
      return 'held';
    });
    return lease === 'held' ? undefined : lease;
  }

  #hold(grant: Omit<Grant, 'token'>, row: Row, asked: Reading): AgentLease {
    return this.held.add({ ...grant, token: number(row.lease_token) }, number(row.lease_expires_at), asked);
  }
}

/**
 * Watches a lease that somebody else holds. A wall clock that was set back would keep a dead holder's
 * lease alive for as long; a renewal that doesn't change for its whole time to live on our own monotonic
 * clock shows that nobody renews it.
 */
class Contender {
  readonly #clock: Clock;
  #seen: LeaseRow | undefined;
  #unchangedUntil = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  see(row: LeaseRow): void {
    const same = row.token === this.#seen?.token && row.expiresAt === this.#seen.expiresAt;
    this.#seen = row;
    if (!same) this.#unchangedUntil = this.#clock.monotonic() + row.ttlMs;
  }

  dead(): { token: number; expiresAt: number } | undefined {
    const seen = this.#seen;
    if (!seen || seen.expiresAt === null || this.#clock.monotonic() < this.#unchangedUntil) return undefined;
    return { token: seen.token, expiresAt: seen.expiresAt };
  }

  /** What kept us waiting. */
  standing(agentId: string): StandingLease | undefined {
    return this.#seen && standingLease(agentId, this.#seen);
  }
}
