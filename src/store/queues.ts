import { StoreBusyError } from '../errors.ts';

/** Calls on a store that haven't ended. More at once come from a loop that waits for none of them. */
export const MAX_CALLS = 100_000;

/** Writes to one agent that wait for each other. */
export const MAX_WRITES_OF_AGENT = 50_000;

const REMEDY = 'Nothing of this call was stored. Wait for calls to end before you begin more.';

export function assertRoomForCall(underWay: number): void {
  if (underWay < MAX_CALLS) return;
  throw new StoreBusyError(
    `${underWay} calls on this store haven't ended, which is as many as it takes. ${REMEDY}`,
  );
}

export function assertRoomForWrite(agentId: string, waiting: number): void {
  if (waiting < MAX_WRITES_OF_AGENT) return;
  throw new StoreBusyError(
    `${waiting} writes to agent "${agentId}" wait for each other, which is as many as one agent may have. ${REMEDY}`,
  );
}
