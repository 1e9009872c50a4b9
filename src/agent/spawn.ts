import { setTimeout as pause } from 'node:timers/promises';
import { sha256 } from '../model/crypto.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import { checkSpawnOptions } from './agent-arguments.ts';
import { MaxStepsError, TurnInterruptedError } from './errors.ts';
import type { AgentTemplate } from './template.ts';
import type { SpawnOptions, ToolContext } from './tool-context.ts';
import type { TurnResult } from './turn.ts';

/** What a helper's parent needs of it. */
export interface Helper {
  readonly agentId: string;
  readonly hasMessages: boolean;
  run(input: string | undefined, options: { signal: AbortSignal }): Promise<TurnResult>;
  pendingApprovals(): Promise<ToolCallRecord[]>;
  close(): Promise<void>;
}

/** Opens the agent with this id, or creates it. */
export type OpenHelper = (id: string, template: AgentTemplate, options: SpawnOptions) => Promise<Helper>;

const LONGEST_ID = 200;
const FIRST_LOOK_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * A call's way to start helpers. Their ids come from the call, so that a call that is run again after a crash
 * finds the helpers that it had started, and goes on with them.
 */
export function spawner(
  agentId: string,
  callSeq: number,
  signal: AbortSignal,
  open: OpenHelper,
): ToolContext['spawn'] {
  let started = 0;
  return async (template, input, options = {}) => {
    const { key = String(started) } = checkSpawnOptions(options);
    started += 1;
    const helper = await open(helperId(agentId, callSeq, key), template, options);
    try {
      let result = await helper.run(helper.hasMessages ? undefined : input, { signal });
      while (result.status === 'awaiting_approval') {
        await decided(helper, signal);
        result = await helper.run(undefined, { signal });
      }
      if (result.status === 'interrupted') throw new TurnInterruptedError(helper.agentId);
      if (result.status === 'max_steps') throw new MaxStepsError(helper.agentId);
      return result.text;
    } finally {
      await helper.close();
    }
  };
}

/** Readable while it is short; helpers of helpers of helpers get a digest. */
function helperId(agentId: string, callSeq: number, key: string): string {
  const id = `${agentId}.${callSeq}-${key}`;
  if (Buffer.byteLength(id) <= LONGEST_ID) return id;
  return `agt-${sha256(id).slice(0, 40)}`;
}

/** Decisions are made by anybody, anywhere: looks until none is missing. */
async function decided(helper: Helper, signal: AbortSignal): Promise<void> {
  let wait = FIRST_LOOK_MS;
  while ((await helper.pendingApprovals()).length > 0) {
    await pause(wait, undefined, { signal });
    wait = Math.min(wait * 2, LONGEST_PAUSE_MS);
  }
}
