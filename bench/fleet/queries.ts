import type { QueryableStore } from '../../src/store/store.ts';
import type { RawReader, RawRow } from './fleet.ts';
import { agentIdOf, BEGIN, SPAN, TEMPLATES, TOOLS } from './plan.ts';
import { asCall, asMessage, asSession } from './raw-records.ts';

/** What a query asks for, drawn anew each time. There is enough of everything before `before`. */
export interface Draw {
  agentId: string;
  template: string;
  tool: string;
  after: number;
  before: number;
}

/** A query of the guide: by the store, and as an indexed select of the bare driver. */
export interface FleetQuery {
  readonly what: string;
  ours(store: QueryableStore, draw: Draw): Promise<unknown[]>;
  raw(reader: RawReader, draw: Draw): Promise<unknown[]>;
}

export function draw(agents: number, random: () => number): Draw {
  const n = Math.floor(random() * agents);
  const pick = <T>(values: readonly T[], fallback: T) =>
    values[Math.floor(random() * values.length)] ?? fallback;
  return {
    agentId: agentIdOf(n),
    template: pick(TEMPLATES, TEMPLATES[0]),
    tool: pick(TOOLS, TOOLS[0]),
    after: Math.floor(BEGIN + 0.1 * random() * SPAN),
    before: Math.floor(BEGIN + (0.6 + 0.4 * random()) * SPAN),
  };
}

const SESSION = `SELECT agent_id, template_id, user_id, status, created_at, updated_at, config_version, lineage,
  message_count, last_sfp_index, version, metadata FROM {agents}`;
const MESSAGE = `SELECT a.agent_id, m.seq, m.created_at, m.payload
  FROM {messages} AS m JOIN {agents} AS a ON a.agent = m.agent`;
const CALL = `SELECT a.agent_id, t.call_seq, t.tool_call_id, t.tool_name, t.state, t.is_error, t.approval_required,
  t.message_seq, t.created_at, t.updated_at, t.started_at, t.completed_at, t.duration_ms, t.input, t.output, t.error,
  t.approval, t.audit FROM {tool_calls} AS t JOIN {agents} AS a ON a.agent = t.agent`;

/** Its key is looked up first, which leaves the planner no other way than the key of the rows. */
const OF_AGENT = '(SELECT agent FROM {agents} WHERE agent_id = ?)';

function raw(
  text: string,
  params: (draw: Draw) => (string | number)[],
  decode: (row: RawRow) => unknown,
): FleetQuery['raw'] {
  return async (reader, one) => {
    const rows = reader.all(text, params(one));
    return (rows instanceof Promise ? await rows : rows).map(decode);
  };
}

export const FLEET_QUERIES: readonly FleetQuery[] = [
  {
    what: 'sessions by template and time',
    ours: (store, { template: templateId, after: createdAfter, before: createdBefore }) =>
      store.querySessions({ templateId, createdAfter, createdBefore, limit: 10 }),
    raw: raw(
      `${SESSION} WHERE template_id = ? AND created_at >= ? AND created_at < ? ORDER BY created_at DESC LIMIT 10`,
      ({ template, after, before }) => [template, after, before],
      asSession,
    ),
  },
  {
    what: "an agent's messages by role and content",
    ours: (store, { agentId }) =>
      store.queryMessages({ agentId, role: 'assistant', contentType: 'tool_use', limit: 50 }),
    raw: raw(
      `${MESSAGE} WHERE m.agent = ${OF_AGENT} AND m.role = 1 AND (m.kinds & 2) <> 0 ORDER BY m.seq DESC LIMIT 50`,
      ({ agentId }) => [agentId],
      asMessage,
    ),
  },
  {
    what: "an agent's messages by time",
    ours: (store, { agentId, before: createdBefore }) =>
      store.queryMessages({ agentId, createdAfter: BEGIN, createdBefore: createdBefore + SPAN, limit: 50 }),
    raw: raw(
      `${MESSAGE} WHERE m.agent = ${OF_AGENT} AND m.created_at >= ? AND m.created_at < ? ORDER BY m.seq DESC LIMIT 50`,
      ({ agentId, before }) => [agentId, BEGIN, before + SPAN],
      asMessage,
    ),
  },
  {
    what: 'messages by role, content and time',
    ours: (store, { before: createdBefore }) =>
      store.queryMessages({ role: 'assistant', contentType: 'tool_use', createdBefore, limit: 50 }),
    raw: raw(
      `${MESSAGE} WHERE m.role = 1 AND (m.kinds & 2) <> 0 AND m.created_at < ? ORDER BY m.created_at DESC LIMIT 50`,
      ({ before }) => [before],
      asMessage,
    ),
  },
  {
    what: 'messages by role and time',
    ours: (store, { before: createdBefore }) =>
      store.queryMessages({ role: 'user', createdBefore, limit: 50 }),
    raw: raw(
      `${MESSAGE} WHERE m.role = 0 AND m.created_at < ? ORDER BY m.created_at DESC LIMIT 50`,
      ({ before }) => [before],
      asMessage,
    ),
  },
  {
    what: 'messages by time',
    ours: (store, { after: createdAfter, before: createdBefore }) =>
      store.queryMessages({ createdAfter, createdBefore, limit: 100 }),
    raw: raw(
      `${MESSAGE} WHERE m.created_at >= ? AND m.created_at < ? ORDER BY m.created_at DESC LIMIT 100`,
      ({ after, before }) => [after, before],
      asMessage,
    ),
  },
  {
    what: 'failed calls of a tool',
    ours: (store, { tool: toolName, before: createdBefore }) =>
      store.queryToolCalls({ toolName, isError: true, createdBefore, limit: 10 }),
    raw: raw(
      `${CALL} WHERE t.tool_name = ? AND t.is_error = 1 AND t.created_at < ? ORDER BY t.created_at DESC LIMIT 10`,
      ({ tool, before }) => [tool, before],
      asCall,
    ),
  },
  {
    what: 'calls of a tool by time',
    ours: (store, { tool: toolName, after: createdAfter, before: createdBefore }) =>
      store.queryToolCalls({ toolName, createdAfter, createdBefore, limit: 20 }),
    raw: raw(
      `${CALL} WHERE t.tool_name = ? AND t.created_at >= ? AND t.created_at < ? ORDER BY t.created_at DESC LIMIT 20`,
      ({ tool, after, before }) => [tool, after, before],
      asCall,
    ),
  },
  {
    what: 'calls with an approval',
    ours: (store, { before: createdBefore }) =>
      store.queryToolCalls({ hasApproval: true, createdBefore, limit: 20 }),
    raw: raw(
      `${CALL} WHERE t.approval_required = 1 AND t.created_at < ? ORDER BY t.created_at DESC LIMIT 20`,
      ({ before }) => [before],
      asCall,
    ),
  },
  {
    what: "an agent's calls",
    ours: (store, { agentId }) => store.queryToolCalls({ agentId, isError: false, limit: 10 }),
    raw: raw(
      `${CALL} WHERE t.agent = ${OF_AGENT} AND t.is_error = 0 ORDER BY t.call_seq DESC LIMIT 10`,
      ({ agentId }) => [agentId],
      asCall,
    ),
  },
];

/** The newest first, as the iterator gives them; and in the order in which the table lies. */
export const ALL_MESSAGES = `${MESSAGE} ORDER BY m.created_at DESC`;
export const ALL_MESSAGES_AS_STORED = MESSAGE;
export { asMessage };
