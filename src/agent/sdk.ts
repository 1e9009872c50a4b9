import { StoreConfigError } from '../errors.ts';

/** The model SDK, as far as the agent uses it. */
export type Sdk = typeof import('ai');

let loading: Promise<Sdk> | undefined;

/**
 * Loads the model SDK, which a store without agents never needs. That takes 150 ms, and seconds on a busy machine:
 * it is done before an agent is made, and before anybody waits for its lease.
 */
export function loadSdk(): Promise<Sdk> {
  loading ??= import('ai').catch((cause: unknown) => {
    loading = undefined;
    throw new StoreConfigError('The agent needs the package "ai" (version 6 or 7): npm i ai', { cause });
  });
  return loading;
}
