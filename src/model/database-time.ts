import { ValidationError } from '../errors.ts';
import type { Clock } from './clock.ts';

/** How far ahead of the database's clock an instant may be, and how far this machine's clock is believed. */
export const MAX_AHEAD_MS = 5 * 60 * 1_000;

/** What the database's clock says, as far as this process knows without asking. */
export interface DatabaseTime {
  /** In epoch milliseconds: of stamps. */
  now(): number;
  /** False when this machine's clock may have been set, or stood still, since the database was last heard. */
  readonly isSure: boolean;
  /** Asks the database. */
  learn(): Promise<void>;
}

/** Of a database on this machine, which has no clock but its own. */
export function hostTime(clock: Clock): DatabaseTime {
  return { now: () => clock.now(), isSure: true, learn: async () => undefined };
}

export function isInTime(instant: number, time: DatabaseTime): boolean {
  return instant <= time.now() + MAX_AHEAD_MS;
}

/** An instant is the floor of all later ones of its agent: one in the future would push them all there. */
export async function checkInTime(field: string, instant: number, time: DatabaseTime): Promise<void> {
  await time.learn();
  if (isInTime(instant, time)) return;
  const said = new Date(time.now()).toISOString();
  throw new ValidationError(
    field,
    `is ${new Date(instant).toISOString()}, and the database's clock says ${said}: later instants of the agent could only come after it. Correct it, or say "allowFuture: true" if it is meant`,
  );
}
