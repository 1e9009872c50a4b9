import { AgentNotFoundError } from '../../errors.ts';
import type { WorkingSet } from '../../model/agent.ts';
import { decodeInfo, number } from '../codec.ts';
import { decodeTodos, INFO, readInfo, readTodos, TODOS } from './info.ts';
import { type Load, type LoadSelect, MomentQuery } from './load.ts';
import {
  decodeCompaction,
  decodeMessages,
  LAST_COMPACTION,
  MESSAGES_SINCE_COMPACTION,
  readLastCompaction,
  readMessages,
} from './messages.ts';
import { decodeOpenCalls, OPEN_CALLS, readOpenCalls } from './open-calls.ts';

const CALL_COUNT: LoadSelect = { columns: ['heads.call_count'], from: 'own AS heads' };

/** What is needed to go on with an agent: nothing of what was compacted away, and no call that is settled. */
export const LOAD_WORKING_SET: Load<WorkingSet> = {
  *script(agentId, state) {
    const info = yield* readInfo(state.keys);
    if (!info) throw new AgentNotFoundError(agentId);
    const compaction = yield* readLastCompaction(agentId, state);
    return {
      info,
      messages: yield* readMessages(agentId, state, compaction?.seq),
      openCalls: yield* readOpenCalls(state),
      callCount: state.head.callCount,
      todos: yield* readTodos(agentId, state.keys),
      ...(compaction ? { compaction } : {}),
    };
  },
  query: new MomentQuery('load_working_set', [
    INFO,
    CALL_COUNT,
    LAST_COMPACTION,
    MESSAGES_SINCE_COMPACTION,
    OPEN_CALLS,
    TODOS,
  ]),
  decode(agentId, [info = [], counts = [], compactions = [], messages = [], calls = [], todos = []]) {
    const [row] = info;
    const [compaction] = compactions;
    if (!row) throw new AgentNotFoundError(agentId);
    return {
      info: decodeInfo(row),
      messages: decodeMessages(agentId, messages),
      openCalls: decodeOpenCalls(calls),
      callCount: number(counts[0]?.[0]),
      todos: decodeTodos(agentId, todos),
      ...(compaction ? { compaction: decodeCompaction(agentId, compaction) } : {}),
    };
  },
};
