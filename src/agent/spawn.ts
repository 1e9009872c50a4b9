import type { Clock, Timer } from '../model/clock.ts';
import { sha256 } from '../model/crypto.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import { checkSpawnOptions } from './agent-arguments.ts';
import { ApprovalRequiredError, MaxStepsError, TurnInterruptedError } from './errors.ts';
import { orAborted } from './or-aborted.ts';
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
/** How long a call waits for decisions on what its helper wants to do. */
export const DECISION_WAIT_MS = 3_600_000;

/**
 * A call's way to start helpers. Their ids come from the call, so that a call that is run again after a crash
 * finds the helpers that it had started, and goes on with them.
 */
export function spawner(
  agentId: string,
  callSeq: number,
  signal: AbortSignal,
  clock: Clock,
  open: OpenHelper,
): ToolContext['spawn'] {
  let started = 0;
  return async (template, input, options = {}) => {
    const { key = String(started), decisionWaitMs = DECISION_WAIT_MS } = checkSpawnOptions(options);
    started += 1;
    const helper = await open(helperId(agentId, callSeq, key), template, options);
    try {
      let result = await helper.run(helper.hasMessages ? undefined : input, { signal });
      while (result.status === 'awaiting_approval') {
        await decided(helper, signal, clock, decisionWaitMs);
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

/**
 * Decisions are made by anybody, anywhere: looks until none is missing. Whoever waited in vain leaves the helper as
 * it is, for a decision that comes later.
 */
async function decided(helper: Helper, signal: AbortSignal, clock: Clock, waitMs: number): Promise<void> {
  const end = clock.monotonic() + waitMs;
  for (let wait = FIRST_LOOK_MS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MS)) {
    const pending = await helper.pendingApprovals();
    if (pending.length === 0) return;
    const left = end - clock.monotonic();
    if (left <= 0) throw new ApprovalRequiredError(helper.agentId, pending);
    await pause(clock, Math.min(wait, left), signal);
  }
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  let timer: Timer | undefined;
  const passed = new Promise<void>((resolve) => {
    timer = clock.after(ms, resolve, { ref: true });
  });
  await orAborted(signal, passed).finally(() => timer?.cancel());
}
