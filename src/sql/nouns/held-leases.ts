import type { Timer } from '../../model/clock.ts';
import { smallest } from '../../model/lists.ts';
import type { AgentLease } from '../../store/store.ts';
import { number } from '../codec.ts';
import type { AgentKeys } from '../directory.ts';
import type { Driver } from '../driver.ts';
import { statement } from '../statement.ts';

export interface Grant {
  keys: AgentKeys;
  agentId: string;
  token: number;
  holderId: string;
  ttlMs: number;
  /** By the database's clock. */
  expiresAt: number;
  /** By this process's monotonic clock: counted from before the database was asked, so never too late. */
  aliveUntil: number;
}

interface Held extends Grant {
  abort: AbortController;
}

/** All leases of a process are renewed by one statement. */
const RENEW = statement('renew_leases', {
  sqlite: `UPDATE {heads} SET lease_expires_at = {now} + lease_ttl
     FROM json_each($1) held
     WHERE tree = held.value ->> 0 AND agent = held.value ->> 1 AND lease_token = held.value ->> 2
       AND lease_holder_id = held.value ->> 3 AND lease_expires_at > {now}
     RETURNING agent, lease_token, lease_expires_at`,
  postgres: `UPDATE {heads} h SET lease_expires_at = {now} + h.lease_ttl
     FROM json_array_elements($1::json) held
     WHERE h.tree = (held ->> 0)::bigint AND h.agent = (held ->> 1)::bigint AND h.lease_token = (held ->> 2)::bigint
       AND h.lease_holder_id = held ->> 3 AND h.lease_expires_at > {now}
     RETURNING h.agent, h.lease_token, h.lease_expires_at`,
});

const RELEASE = statement(
  'release_lease',
  `UPDATE {heads} SET lease_holder_id = NULL, lease_expires_at = NULL
   WHERE tree = $1 AND agent = $2 AND lease_token = $3 AND lease_holder_id = $4`,
);

/** The leases that this store holds: renews them while it lives, and aborts their signals when they are lost. */
export class HeldLeases {
  readonly #driver: Driver;
  readonly #held = new Map<string, Held>();
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  get count(): number {
    return this.#held.size;
  }

  add(grant: Grant): AgentLease {
    const held: Held = { ...grant, abort: new AbortController() };
    this.#held.set(held.holderId + held.agentId, held);
    this.#schedule();
    return this.#handle(held);
  }

  async releaseAll(): Promise<void> {
    await this.#renewing;
    for (const held of [...this.#held.values()]) await this.#release(held);
    this.#timer?.cancel();
  }

  #handle(held: Held): AgentLease {
    const release = () => this.#release(held);
    return Object.defineProperties(release, {
      agentId: { value: held.agentId, enumerable: true },
      token: { value: held.token, enumerable: true },
      holderId: { value: held.holderId, enumerable: true },
      expiresAt: { get: () => new Date(held.expiresAt), enumerable: true },
      signal: { value: held.abort.signal, enumerable: true },
      release: { value: release },
      [Symbol.asyncDispose]: { value: release },
    }) as AgentLease;
  }

  /** Only the holder's own lease: one that was taken over isn't touched. */
  async #release(held: Held): Promise<void> {
    if (!this.#drop(held, 'The lease was released')) return;
    await this.#driver.write(RELEASE, [held.keys.tree, held.keys.agent, held.token, held.holderId]);
  }

  #drop(held: Held, reason: string): boolean {
    if (!this.#held.delete(held.holderId + held.agentId)) return false;
    held.abort.abort(new Error(`${reason} (agent "${held.agentId}")`));
    return true;
  }

  #schedule(): void {
    this.#timer?.cancel();
    if (this.#held.size === 0) return;
    const shortest = smallest([...this.#held.values()].map((held) => held.ttlMs));
    // A lease must not keep the process alive: when it ends, the lease runs out.
    this.#timer = this.#driver.clock.after(shortest / 3, () => {
      this.#renewing = this.#renew().finally(() => {
        this.#renewing = undefined;
        this.#schedule();
      });
    });
  }

  async #renew(): Promise<void> {
    const asked = this.#driver.clock.monotonic();
    const leases = [...this.#held.values()];
    const list = leases.map(({ keys, token, holderId }) => [keys.tree, keys.agent, token, holderId]);
    let renewed: Map<string, number>;
    try {
      const rows = await this.#driver.urgent(RENEW, [JSON.stringify(list)]);
      renewed = new Map(rows.map((row) => [`${row.agent}:${row.lease_token}`, number(row.lease_expires_at)]));
    } catch {
      // The database can't be reached: leases live on until their own time is over, then they are lost.
      for (const held of leases) {
        if (this.#driver.clock.monotonic() >= held.aliveUntil)
          this.#drop(held, 'The lease could not be renewed in time');
      }
      return;
    }
    for (const held of leases) {
      const expiresAt = renewed.get(`${held.keys.agent}:${held.token}`);
      if (expiresAt === undefined) {
        this.#drop(held, 'The lease was lost');
      } else {
        held.expiresAt = expiresAt;
        held.aliveUntil = asked + held.ttlMs;
      }
    }
  }
}
