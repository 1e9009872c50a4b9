import { LockTimeoutError, StoreClosedError } from '../../errors.ts';
import { type Clock, sleep } from '../../model/clock.ts';
import { randomUUID } from '../../model/crypto.ts';
import type { CheckedLease } from '../../store/arguments.ts';
import type { AgentLease } from '../../store/store.ts';
import { number, numberOrNull } from '../codec.ts';
import type { SqlContext } from '../context.ts';
import type { AgentKeys } from '../directory.ts';
import type { Row } from '../driver.ts';
import { statement } from '../statement.ts';
import { type Grant, HeldLeases } from './held-leases.ts';

const POLL_MS = 40;

/** Free, run out, or (after a contender has watched it stand still for its whole time) dead. */
const ACQUIRE = statement(
  'acquire_lease',
  `UPDATE {heads} SET lease_token = lease_token + 1, lease_holder_id = $3, lease_ttl = $4, lease_expires_at = {now} + $4
   WHERE tree = $1 AND agent = $2
     AND (lease_holder_id IS NULL OR lease_expires_at <= {now} OR (lease_token = $5 AND lease_expires_at = $6))
   RETURNING lease_token, lease_expires_at`,
);

const LOOK = statement(
  'look_at_lease',
  'SELECT lease_token, lease_expires_at, lease_ttl FROM {heads} WHERE tree = $1 AND agent = $2',
);

const CLAIM = statement('claim_resumable', {
  sqlite: claimText(''),
  postgres: claimText('FOR UPDATE SKIP LOCKED'),
});

function claimText(locking: string): string {
  return `UPDATE {heads} SET lease_token = lease_token + 1, lease_holder_id = $1, lease_ttl = $2, lease_expires_at = {now} + $2
     WHERE (tree, agent) IN (
       SELECT tree, agent FROM {heads}
       WHERE status <> 0 AND status IN (1, 2) AND (status = 1 OR pending_approvals = 0)
         AND (lease_holder_id IS NULL OR lease_expires_at <= {now})
       ORDER BY updated_at, agent LIMIT $3 ${locking})
     RETURNING tree, agent, lease_token, lease_expires_at, updated_at,
       (SELECT a.agent_id FROM {agents} a WHERE a.tree = {heads}.tree AND a.agent = {heads}.agent) AS agent_id`;
}

/** Gets leases; `held` keeps them alive and gives them back. */
export class Leases {
  readonly held: HeldLeases;
  readonly #context: SqlContext;
  readonly #clock: Clock;

  constructor(context: SqlContext) {
    this.#context = context;
    this.#clock = context.driver.clock;
    this.held = new HeldLeases(context.driver);
  }

  /** Waiting ends with `closing`. */
  async acquire(agentId: string, { ttlMs, waitMs }: CheckedLease, closing: AbortSignal): Promise<AgentLease> {
    const holderId = randomUUID();
    const start = this.#clock.monotonic();
    const contender = new Contender(this.#clock);
    for (;;) {
      const lease = await this.#try(agentId, holderId, ttlMs, contender);
      if (lease) return lease;
      if (closing.aborted) throw new StoreClosedError();
      const waited = this.#clock.monotonic() - start;
      if (waited >= waitMs) throw new LockTimeoutError(agentId, waitMs);
      const pause = Math.min(POLL_MS * (0.5 + Math.random()), waitMs - waited);
      await sleep(this.#clock, pause);
    }
  }

  async claim(limit: number, ttlMs: number): Promise<AgentLease[]> {
    const holderId = randomUUID();
    const asked = this.#clock.monotonic();
    const rows = await this.#context.driver.write(CLAIM, [holderId, ttlMs, limit]);
    // RETURNING has no order: what was left alone longest comes first here too.
    rows.sort((a, b) => number(a.updated_at) - number(b.updated_at) || number(a.agent) - number(b.agent));
    return rows.map((row) => {
      const agentId = String(row.agent_id);
      const keys = { tree: number(row.tree), agent: number(row.agent) };
      this.#context.directory.remember(agentId, keys);
      return this.#hold({ keys, agentId, holderId, ttlMs, asked }, row);
    });
  }

  async #try(
    agentId: string,
    holderId: string,
    ttlMs: number,
    contender: Contender,
  ): Promise<AgentLease | undefined> {
    const asked = this.#clock.monotonic();
    const lease = await this.#context.directory.resolve(agentId, async (keys) => {
      const dead = contender.dead();
      const [row] = await this.#context.driver.write(ACQUIRE, [
        keys.tree,
        keys.agent,
        holderId,
        ttlMs,
        dead?.token ?? null,
        dead?.expiresAt ?? null,
      ]);
      if (!row) return this.#look(keys, contender);
      return this.#hold({ keys, agentId, holderId, ttlMs, asked }, row);
    });
    return lease === 'held' ? undefined : lease;
  }

  /** `asked`: when the database was asked, on the monotonic clock; the lease can't end before that plus its time. */
  #hold(
    { asked, ...grant }: Pick<Grant, 'keys' | 'agentId' | 'holderId' | 'ttlMs'> & { asked: number },
    row: Row,
  ): AgentLease {
    return this.held.add({
      ...grant,
      token: number(row.lease_token),
      expiresAt: number(row.lease_expires_at),
      aliveUntil: asked + grant.ttlMs,
    });
  }

  async #look(keys: AgentKeys, contender: Contender): Promise<'held' | undefined> {
    const [row] = await this.#context.driver.read(LOOK, [keys.tree, keys.agent]);
    if (!row) return undefined;
    contender.see(number(row.lease_token), numberOrNull(row.lease_expires_at), number(row.lease_ttl ?? 0));
    return 'held';
  }
}

/**
 * Watches a lease that somebody else holds. A wall clock that was set back would keep a dead holder's
 * lease alive for as long; a renewal that doesn't change for its whole time to live on our own monotonic
 * clock shows that nobody renews it.
 */
class Contender {
  readonly #clock: Clock;
  #token = -1;
  #expiresAt: number | null = null;
  #unchangedUntil = Number.POSITIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  see(token: number, expiresAt: number | null, ttlMs: number): void {
    if (token === this.#token && expiresAt === this.#expiresAt) return;
    this.#token = token;
    this.#expiresAt = expiresAt;
    this.#unchangedUntil = this.#clock.monotonic() + ttlMs;
  }

  dead(): { token: number; expiresAt: number } | undefined {
    if (this.#expiresAt === null || this.#clock.monotonic() < this.#unchangedUntil) return undefined;
    return { token: this.#token, expiresAt: this.#expiresAt };
  }
}
