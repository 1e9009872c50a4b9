import type { AgentInfo } from '../model/agent.ts';
import type { AgentLease, Store } from '../store/store.ts';
import type { LanguageModel } from './model.ts';
import type { AgentTemplate } from './template.ts';

/** The model, and the lease, of an agent that is opened. One of `provider` and `model` must be given. */
export interface ModelOption {
  /** A language model of the AI SDK. */
  provider?: LanguageModel | undefined;
  /** Another name for `provider`. */
  model?: LanguageModel | undefined;
  /** How long the agent's lease outlives its process, in milliseconds. Default: 15,000. */
  ttlMs?: number | undefined;
  /** A name for whoever holds the agent's lease, for others to see. Default: the store's option `holder`. */
  holder?: string | undefined;
}

/** Options of `Agent.create`. */
export interface CreateOptions extends ModelOption {
  /** Where the agent is kept. */
  store: Store;
  /** What kind of agent it is. Its `id` is stored, the rest is given again by each process. */
  template: AgentTemplate;
  /** Default: a new one. */
  agentId?: string | undefined;
  /** Whose agent it is, for filters: 1 to 255 bytes. */
  userId?: string | undefined;
  /** An object of the caller's, for filters. Default: `{}`. */
  metadata?: Record<string, unknown> | undefined;
}

/** Options of `Agent.resume`. */
export interface ResumeOptions extends ModelOption {
  /** Where the agent is kept. */
  store: Store;
  /** The template, or a function that chooses it by what is stored of the agent. */
  template: AgentTemplate | ((info: AgentInfo) => AgentTemplate);
  /** A lease that the caller holds, from `claimResumable` or `acquireAgentLock`. The agent gives it back. */
  lease?: AgentLease | undefined;
  /** How long to wait for another holder of the agent's lease, in milliseconds. Default: 0. */
  waitMs?: number | undefined;
}

/** Options of `Agent.open`: those of `Agent.resume`, and what a new agent gets. */
export interface OpenOptions extends ResumeOptions {
  /** Whose agent it is, if it is new. */
  userId?: string | undefined;
  /** An object of the caller's, if the agent is new. */
  metadata?: Record<string, unknown> | undefined;
}

/** Options of `send`, `run` and `stream`. */
export interface TurnOptions {
  /** Interrupts the turn; what had arrived is kept. */
  signal?: AbortSignal | undefined;
  /** Names the input: sent again under the same name, it is stored once, and its answer is given again. */
  operationId?: string | undefined;
  /** A schema (zod 3 or 4, standard schema, `jsonSchema()`): the answer is an object that it accepts. */
  output?: unknown | undefined;
  /** What to do while another turn runs. Default: 'reject', with `AgentBusyError`. */
  whenBusy?: 'reject' | 'queue' | undefined;
}

/** Options of `followAgent`. */
export interface FollowOptions {
  /** The cursor of the last part that was seen: goes on after it. Default: the beginning of the turn under way. */
  since?: number | undefined;
  /** Ends the iteration. */
  signal?: AbortSignal | undefined;
}
