import { AgentNotFoundError } from '../../errors.ts';
import type { LoadedAgent } from '../../model/agent.ts';
import { decodeInfo } from '../codec.ts';
import { decodePlacedRecords, readRecords, TOOL_CALLS } from './calls.ts';
import { decodeTodos, INFO, readInfo, readTodos, TODOS } from './info.ts';
import { type Load, MomentQuery } from './load.ts';
import {
  decodeCompaction,
  decodeMessages,
  LAST_COMPACTION,
  MESSAGES,
  readLastCompaction,
  readMessages,
} from './messages.ts';

/** An agent with all that a program needs to go on with it. */
export const LOAD_AGENT: Load<LoadedAgent> = {
  *script(agentId, state) {
    const info = yield* readInfo(state.keys);
    if (!info) throw new AgentNotFoundError(agentId);
    const messages = yield* readMessages(agentId, state);
    const toolCalls = yield* readRecords(state);
    const todos = yield* readTodos(agentId, state.keys);
    const compaction = yield* readLastCompaction(agentId, state);
    return { info, messages, toolCalls, todos, ...(compaction ? { compaction } : {}) };
  },
  query: new MomentQuery('load_agent', [INFO, MESSAGES, TOOL_CALLS, TODOS, LAST_COMPACTION]),
  decode(agentId, [info = [], messages = [], calls = [], todos = [], compactions = []]) {
    const [row] = info;
    const [compaction] = compactions;
    if (!row) throw new AgentNotFoundError(agentId);
    return {
      info: decodeInfo(row),
      messages: decodeMessages(agentId, messages),
      toolCalls: decodePlacedRecords(calls),
      todos: decodeTodos(agentId, todos),
      ...(compaction ? { compaction: decodeCompaction(agentId, compaction) } : {}),
    };
  },
};
