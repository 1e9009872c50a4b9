import type { LeaseHolder, StandingLease } from '../../errors.ts';
import { isHere } from '../../store/this-holder.ts';
import { number, numberOrNull, text } from '../codec.ts';
import type { AgentKeys } from '../keys.ts';
import type { Driver } from '../port/driver.ts';
import { statement } from '../port/statement.ts';

/** The lease of an agent as the database has it; it may have run out, and there may be none. */
export interface LeaseRow {
  token: number;
  holderId: string | null;
  holder: LeaseHolder | undefined;
  expiresAt: number | null;
  ttlMs: number;
}

const LOOK = statement(
  'look_at_lease',
  `SELECT lease_token, lease_holder_id, lease_by, lease_expires_at, lease_ttl FROM {heads}
   WHERE tree = $1 AND agent = $2`,
);

/** Undefined without the agent. */
export async function readStanding(driver: Driver, keys: AgentKeys): Promise<LeaseRow | undefined> {
  const [row] = await driver.read(LOOK, [keys.tree, keys.agent]);
  return (
    row && {
      token: number(row.lease_token),
      holderId: text(row.lease_holder_id),
      holder: parseHolder(text(row.lease_by)),
      expiresAt: numberOrNull(row.lease_expires_at),
      ttlMs: number(row.lease_ttl ?? 0),
    }
  );
}

/** The same as errors tell it. */
export function standingLease(agentId: string, row: LeaseRow): StandingLease | undefined {
  const { token, holderId, holder, expiresAt } = row;
  if (holderId === null) return undefined;
  return {
    holder,
    expiresAt: expiresAt === null ? undefined : new Date(expiresAt),
    here: isHere({ agentId, token, holderId }),
  };
}

/** Nobody's call fails because of what stands in a message: damage shows in a check. */
function parseHolder(json: string | null): LeaseHolder | undefined {
  if (json === null) return undefined;
  try {
    return JSON.parse(json) as LeaseHolder;
  } catch {
    return undefined;
  }
}
