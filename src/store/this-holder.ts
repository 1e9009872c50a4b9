import type { LeaseHolder } from '../errors.ts';
import type { LeaseToken } from '../model/agent.ts';

/** This process as a lease's holder, by the name that the application gives it. */
export function thisHolder(name: string | undefined): LeaseHolder {
  const { hostname } = process.getBuiltinModule('node:os');
  return { host: hostname(), pid: process.pid, ...(name === undefined ? {} : { name }) };
}

/** The leases that this process holds, whichever store they are of. */
const here = new Set<string>();

/** Host and process id don't tell: containers share them. */
export function isHere(lease: LeaseToken): boolean {
  return here.has(nameOf(lease));
}

export function noteHere(lease: LeaseToken): void {
  here.add(nameOf(lease));
}

export function forgetHere(lease: LeaseToken): void {
  here.delete(nameOf(lease));
}

/** A holder that claims several agents has one id for all of them. */
function nameOf({ holderId, token, agentId }: LeaseToken): string {
  return `${holderId} ${token} ${agentId}`;
}
