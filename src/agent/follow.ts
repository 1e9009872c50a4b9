import { validateAgentId } from '../model/ids.ts';
import type { ExtendedStore } from '../store/store.ts';
import { checkFollowOptions, checkWatchable } from './agent-arguments.ts';
import type { FollowOptions } from './agent-options.ts';
import type { AgentStreamPart } from './stream-part.ts';
import { isAnswerDelta, isTurnEvent, TurnReader } from './turn-reader.ts';

/**
 * A turn's parts as `agent.stream` gives them, for any other process, and for a reader who lost the
 * connection: text as it is written, and everything that is stored. Waits when no turn is under way. Ends
 * with the turn's end, with the signal, with the agent and with the store.
 *
 * A part with a cursor stands for something stored, and a reader may go on after each. What comes without
 * one is the answer while it is being written, and comes again to a reader who goes on after an earlier
 * cursor: drop what was seen since then. When a crash cuts an answer off, another `start-step` says so.
 *
 * @example
 * for await (const part of followAgent(store, agentId, { since: cursor })) {
 *   if (part.type === 'text-delta') process.stdout.write(part.text);
 * }
 */
export function followAgent(
  store: ExtendedStore,
  agentId: string,
  options: FollowOptions = {},
): AsyncIterableIterator<AgentStreamPart> {
  checkWatchable(store);
  validateAgentId(agentId);
  const { since, signal } = checkFollowOptions(options);
  // Who leaves in the middle of a quiet time doesn't wait for the next part.
  const left = new AbortController();
  const ends = AbortSignal.any(signal ? [left.signal, signal] : [left.signal]);
  const parts = follow(store, agentId, since, ends);
  return {
    next: () => parts.next(),
    return: () => {
      left.abort();
      return parts.return(undefined);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

async function* follow(
  store: ExtendedStore,
  agentId: string,
  given: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<AgentStreamPart, undefined> {
  const since = given ?? (await beginningOfTurn(store, agentId));
  const reader = new TurnReader(store, agentId, since);
  for await (const item of store.watch(agentId, { since, signal })) {
    if (item.kind === 'event') yield* reader.see(item);
    else if (isAnswerDelta(item.delta)) {
      // An answer that hasn't been seen may be written after events that haven't: those first.
      if (!reader.shows(item.delta)) {
        for await (const stored of store.readEvents(agentId, { since: reader.cursor })) {
          yield* reader.see(stored);
          if (reader.ended) return;
        }
      }
      yield* reader.overhear(item.delta);
    }
    if (reader.ended) return;
  }
}

/** The cursor before the turn under way, or the newest one when there is none. */
async function beginningOfTurn(store: ExtendedStore, agentId: string): Promise<number> {
  let newest = 0;
  for await (const { cursor, event } of store.readEvents(agentId, { channel: 'progress', order: 'desc' })) {
    if (isTurnEvent(event, 'start')) return cursor - 1;
    newest = Math.max(newest, cursor);
    if (isTurnEvent(event, 'finish') || isTurnEvent(event, 'error')) break;
  }
  return newest;
}
