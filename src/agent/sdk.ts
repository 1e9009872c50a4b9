import { StoreConfigError } from '../errors.ts';

/** The model SDK, as far as the agent uses it. */
export type Sdk = typeof import('ai');

let loading: Promise<Sdk> | undefined;

/** Loads the model SDK when it is first needed: it takes 150 ms, and a store without agents never needs it. */
export function loadSdk(): Promise<Sdk> {
  loading ??= import('ai').catch((cause: unknown) => {
    loading = undefined;
    throw new StoreConfigError('The agent needs the package "ai" (version 6 or 7): npm i ai', { cause });
  });
  return loading;
}
