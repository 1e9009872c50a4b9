import type { NewEvent, TurnCommit } from '../../src/model/agent.ts';
import type { Message } from '../../src/model/message.ts';
import type { ToolCallUpdate } from '../../src/model/tool-call.ts';
import { Generator } from '../generator.ts';
import { METADATA } from '../workload.ts';

/** Every agent has as much to say: 25 turns of four messages and one call. */
export const TURNS = 25;
export const MESSAGES = TURNS * 4;
export const TEMPLATES = ['chat-assistant', 'code-reviewer', 'travel-agent', 'analyst'] as const;
export const TOOLS = ['bash_run', 'read_file', 'search_flights', 'update_booking', 'web_fetch'] as const;
/** Agents were created throughout this time, whatever their number. */
export const BEGIN = Date.UTC(2025, 0, 1);
export const SPAN = 90 * 86_400_000;

const SEED = 19_700_101;
const TURN_MS = 150_000;
const STEP_MS = 12_000;
const USER_TEXT = 200;
const ASSISTANT_TEXT = 800;
const TOOL_INPUT = 300;
const TOOL_RESULT = { least: 200, most: 800 };

export interface FleetAgent {
  agentId: string;
  /** Creates it with all that it has. */
  change: TurnCommit;
}

export function agentIdOf(n: number): string {
  return `agt-${String(n).padStart(8, '0')}`;
}

/** The same agents in every run. */
export function* planFleet(agents: number): Iterable<FleetAgent> {
  const generator = new Generator(SEED);
  for (let n = 0; n < agents; n += 1) {
    yield { agentId: agentIdOf(n), change: planAgent(generator, n, BEGIN + Math.floor((n * SPAN) / agents)) };
  }
}

function planAgent(generator: Generator, n: number, createdAt: number): TurnCommit {
  const messages: Message[] = [];
  const toolCalls: ToolCallUpdate[] = [];
  const events: NewEvent[] = [];
  const at: Date[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const call = planCall(generator, `call_${n}_${turn}`);
    const text = (bytes: number) => ({ type: 'text' as const, text: generator.text(bytes) });
    messages.push(
      { role: 'user', content: [text(USER_TEXT)] },
      { role: 'assistant', content: [text(ASSISTANT_TEXT), call.use] },
      { role: 'user', content: [call.result] },
      { role: 'assistant', content: [text(ASSISTANT_TEXT)] },
    );
    for (let step = 0; step < 4; step += 1) at.push(new Date(createdAt + turn * TURN_MS + step * STEP_MS));
    toolCalls.push(call.update);
    events.push({ channel: 'progress', type: 'finish', turn });
    if (turn % 2 === 0) events.push({ channel: 'monitor', type: 'latency', ms: generator.integer(100, 900) });
  }
  const info = {
    templateId: TEMPLATES[n % TEMPLATES.length] ?? TEMPLATES[0],
    userId: `user-${n % 997}`,
    createdAt: new Date(createdAt),
    status: 'idle' as const,
    metadata: METADATA,
  };
  return { info, messages, toolCalls, events, at, expectedVersion: 0 };
}

/** One call of twenty fails, one of ten had to be approved. */
function planCall(generator: Generator, id: string) {
  const name = TOOLS[generator.integer(0, TOOLS.length - 1)] ?? TOOLS[0];
  const failed = generator.integer(1, 20) === 1;
  const approved = generator.integer(1, 10) === 1;
  const output = generator.text(generator.integer(TOOL_RESULT.least, TOOL_RESULT.most));
  const update: ToolCallUpdate = {
    toolCallId: id,
    state: failed ? 'failed' : 'completed',
    output,
    durationMs: generator.integer(5, 3_000),
    ...(failed ? { error: 'The tool reported an error.' } : {}),
    ...(approved ? { approval: { required: true, decision: 'allow', decidedBy: 'operator' } } : {}),
  };
  return {
    use: { type: 'tool_use' as const, id, name, input: { query: generator.text(TOOL_INPUT) } },
    result: {
      type: 'tool_result' as const,
      tool_use_id: id,
      content: output,
      ...(failed ? { is_error: true } : {}),
    },
    update,
  };
}
