import type { CommitResult, NewEvent, TurnCommit } from '../model/agent.ts';
import type { ToolCallRecord } from '../model/tool-call.ts';
import type { Journal, StepCall } from './journal.ts';
import type { LanguageModel } from './model.ts';
import type { ReadyTemplate } from './ready-template.ts';
import type { AgentStreamPart, TokenUsage, TurnStatus } from './stream-part.ts';
import type { ToolContext } from './tool-context.ts';

/** How a turn ended, and what it said. */
export interface TurnResult {
  /** How it ended. What isn't `completed` goes on with `run()`; `awaiting_approval` after the decisions. */
  status: TurnStatus;
  /** The text of the last answer; empty when there is none. */
  text: string;
  /** The answer as an object, when the turn asked for one with `output`. */
  output?: unknown;
  /** The calls that wait for a decision. */
  approvals: ToolCallRecord[];
  /** Tokens of all steps of this turn. */
  usage: TokenUsage;
  /** Why the model stopped: the AI SDK's word for it. */
  finishReason: string;
}

/** Everything that one turn needs. */
export interface Turn {
  readonly id: string;
  readonly journal: Journal;
  readonly template: ReadyTemplate;
  readonly model: LanguageModel;
  /** Aborted when the turn is to stop: by its caller, or because the lease is lost. */
  readonly signal: AbortSignal;
  /** The schema of the answer, when it is to be an object. */
  readonly output: unknown;
  /** Makes a call's way to start helpers. */
  readonly spawn: (call: StepCall, signal: AbortSignal) => ToolContext['spawn'];
  readonly emit: (part: AgentStreamPart) => void;
  /** Calls that need no approval, or have it: they are asked about once. */
  readonly cleared: Set<number>;
  /** Whether somebody followed the turn from elsewhere when that was last looked at. */
  watched: boolean;
  /** Model calls so far. */
  steps: number;
  usage: TokenUsage;
}

/** Something that is committed as an event, and shown as a part with that event's cursor. */
export interface Notice {
  /** None: what is shown follows from the events around it. */
  event?: NewEvent;
  part?: AgentStreamPart;
}

/**
 * Commits with events, and shows each event's part once it is stored. On the timeline the messages stand
 * between what is noted before and after them.
 */
export async function record(
  turn: Turn,
  change: TurnCommit,
  after: Notice[],
  before: Notice[] = [],
): Promise<CommitResult> {
  const first = turn.journal.messageCount;
  const stored = (change.messages ?? []).map(
    ({ role }, i): Notice => ({
      event: {
        channel: 'progress',
        type: 'message',
        role,
        messageSeq: first + i,
        ...(role === 'assistant' && { stepNumber: turn.journal.stepNumber }),
      },
    }),
  );
  const all = [...before, ...stored, ...after];
  const events = all.flatMap(({ event }) => event ?? []);
  const result = await turn.journal.commit({ ...change, events });
  let cursor = result.cursor - events.length;
  for (const { event, part } of all) {
    if (event) cursor += 1;
    if (part) turn.emit(event ? { ...part, cursor } : part);
  }
  return result;
}
