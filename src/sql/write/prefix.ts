import type { EncodedCommit } from '../../model/encode-commit.ts';
import type { AgentState } from '../agent-state.ts';
import type { Driver } from '../port/driver.ts';
import { commonLength } from '../read/messages.ts';

/**
 * For a snapshot that comes with messages: their number if they are the beginning of the conversation as
 * the commit leaves it, so that a reference will do. Undefined if they aren't, or if none were given.
 */
export async function prefixLength(
  driver: Driver,
  state: AgentState,
  change: EncodedCommit,
): Promise<number | undefined> {
  const own = change.snapshot?.messages;
  if (!own) return undefined;
  const stored = state.head.messageCount;
  if (own.length > stored + change.messages.length) return undefined;
  const beyond = own.slice(stored);
  if (beyond.some((message, i) => message.payload !== change.messages[i]?.payload)) return undefined;
  const shared = Math.min(own.length, stored);
  return (await commonLength(driver, state, own, shared)) === shared ? own.length : undefined;
}
