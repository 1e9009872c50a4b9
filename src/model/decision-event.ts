import type { NewEvent } from './agent.ts';
import type { CallState } from './call-book.ts';
import type { Decision } from './decided-call.ts';
import { type EncodedEvent, encodeEvent } from './encode-commit.ts';

/** What a decision leaves on the agent's timeline, whoever made it: it is stored together with the call. */
export function decisionEvent(
  { callSeq, toolCallId, toolName }: Pick<CallState, 'callSeq' | 'toolCallId' | 'toolName'>,
  { decision, by, note }: Decision,
): EncodedEvent {
  const event: NewEvent = {
    channel: 'control',
    type: 'tool-approval-response',
    callSeq,
    toolCallId,
    toolName,
    approved: decision === 'allow',
    ...(by === undefined ? {} : { by }),
    ...(note === undefined ? {} : { note }),
  };
  return encodeEvent(event, 'event');
}
