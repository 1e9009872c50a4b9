import type { MessageQueryFilter, SessionQueryFilter, ToolCallQueryFilter } from '../../src/store/filters.ts';
import { DAY } from './fill.ts';

type Choices<T> = { [K in keyof T]?: readonly (T[K] | undefined)[] };

/** Every combination of the choices; `undefined` leaves a key out. */
function combine<T extends object>(choices: Choices<T>): T[] {
  let filters: T[] = [{} as T];
  for (const [key, values] of Object.entries(choices) as [keyof T, readonly T[keyof T][]][]) {
    filters = filters.flatMap((filter) =>
      values.map((value) => (value === undefined ? filter : { ...filter, [key]: value })),
    );
  }
  return filters;
}

const RANGE = {
  createdAfter: [undefined, DAY + 200_000],
  createdBefore: [undefined, DAY + 400_000],
} as const;
const ORDER = { order: [undefined, 'asc'] } as const;

export const SESSION_FILTERS = combine<SessionQueryFilter>({
  templateId: [undefined, 'template-1'],
  userId: [undefined, 'user-3'],
  status: [undefined, 'idle', 'running'],
  metadata: [undefined, { tier: 'gold' }, { tier: 'free', 'place.row': 7 }],
  ...RANGE,
  sortBy: [undefined, 'updatedAt'],
  ...ORDER,
});

const AGENTS = [undefined, 'long', 'fork-of-fork'] as const;

export const MESSAGE_FILTERS = combine<MessageQueryFilter>({
  agentId: AGENTS,
  role: [undefined, 'assistant', 'system'],
  contentType: [undefined, 'text', 'tool_use', 'tool_result'],
  ...RANGE,
  offset: [undefined, 30],
  ...ORDER,
});

export const TOOL_CALL_FILTERS = combine<ToolCallQueryFilter>({
  agentId: AGENTS,
  toolName: [undefined, 'rare'],
  state: [undefined, 'completed', 'failed', 'approval_required'],
  isError: [undefined, true, false],
  hasApproval: [undefined, true, false],
  ...RANGE,
  ...ORDER,
});
