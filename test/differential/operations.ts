import fc from 'fast-check';
import { TOOLS } from './drafts.ts';
import type {
  CallDraft,
  Draft,
  InfoPatch,
  MessageDraft,
  Operation,
  PageDraft,
  RecordDraft,
  SessionDraft,
} from './operation.ts';

const agent = fc.nat(9);
const position = fc.nat(12);
/** Texts that databases are known to trip over, and plain ones. */
const someText = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.constantFrom(
    '',
    '\u0000',
    '\ud800',
    '\udfff x',
    "'; --",
    '\u{1f600}',
    '{"a":1}',
    '\\u0000',
    '__proto__',
  ),
);
const json = fc.oneof(
  fc.constantFrom<unknown>(null, false, 0, '', -1.5, 1e300, [], {}, [null], { b: 1, a: { '': '\u0000' } }),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown),
  someText,
);
const draft: fc.Arbitrary<Draft> = fc.record({
  role: fc.constantFrom('user', 'assistant', 'system'),
  texts: fc.array(someText, { maxLength: 2 }),
  extra: fc.option(fc.dictionary(fc.constantFrom('z', 'a', 'providerOptions', '1'), json, { maxKeys: 3 }), {
    nil: undefined,
  }),
});
const drafts = fc.array(draft, { minLength: 1, maxLength: 3 });
const template = fc.constantFrom('chat', 'code');
const user = fc.constantFrom('ann', 'bob');
const scalar = fc.constantFrom<string | number | boolean | null>(
  'gold',
  'silver',
  1,
  '1',
  true,
  'true',
  null,
);
const metadata = fc.oneof(
  fc.dictionary(fc.constantFrom('tier', 'n', 'a.b'), scalar, { maxKeys: 2 }),
  scalar.map((value) => ({ a: { b: value }, odd: '\u0000\ud800' })),
);
const info: fc.Arbitrary<InfoPatch> = fc.record(
  {
    templateId: template,
    userId: user,
    status: fc.constantFrom('idle', 'running', 'interrupted'),
    breakpoint: someText.filter((value) => value.isWellFormed() && !value.includes('\u0000')),
    lastSfpIndex: fc.integer({ min: -1, max: 6 }),
    metadata,
  },
  { requiredKeys: [] },
);
const record: fc.Arbitrary<RecordDraft> = fc.record(
  {
    state: fc.constantFrom('pending', 'approval_required', 'approved', 'executing'),
    input: json,
    output: json,
    error: fc.constantFrom('no', ''),
  },
  { requiredKeys: [] },
);
const range = {
  after: fc.double({ min: 0, max: 1, noNaN: true }),
  before: fc.double({ min: 0, max: 1, noNaN: true }),
  form: fc.constantFrom('date' as const, 'number' as const, 'text' as const),
};
const sessionFilter: fc.Arbitrary<SessionDraft> = fc.record(
  {
    ...range,
    templateId: template,
    userId: user,
    status: fc.constantFrom('idle', 'running', 'awaiting_approval', 'interrupted'),
    metadata: fc.dictionary(fc.constantFrom('tier', 'n', 'a.b', 'a\\.b'), scalar, { minKeys: 1, maxKeys: 2 }),
  },
  { requiredKeys: [] },
);
const messageFilter: fc.Arbitrary<MessageDraft> = fc.record(
  {
    ...range,
    agent,
    role: fc.constantFrom('user', 'assistant', 'system'),
    contentType: fc.constantFrom('text', 'tool_use', 'tool_result'),
  },
  { requiredKeys: [] },
);
const callFilter: fc.Arbitrary<CallDraft> = fc.record(
  {
    ...range,
    agent,
    toolName: fc.constantFrom(...TOOLS),
    state: fc.constantFrom(
      'pending',
      'approval_required',
      'approved',
      'denied',
      'completed',
      'failed',
      'sealed',
    ),
    isError: fc.boolean(),
    hasApproval: fc.boolean(),
  },
  { requiredKeys: [] },
);
const page: fc.Arbitrary<PageDraft> = fc.record(
  {
    limit: fc.integer({ min: 1, max: 12 }),
    offset: fc.nat(6),
    order: fc.constantFrom('asc', 'desc'),
    sortBy: fc.constantFrom('createdAt', 'updatedAt'),
  },
  { requiredKeys: [] },
);

type Shape<O extends Operation['op']> = Omit<Extract<Operation, { op: O }>, 'op'>;

function weighted<O extends Operation['op']>(
  weight: number,
  op: O,
  shape: { [K in keyof Shape<O>]: fc.Arbitrary<Shape<O>[K]> },
): fc.WeightedArbitrary<Operation> {
  const arbitrary = fc.record({ op: fc.constant(op), ...shape } as Record<string, fc.Arbitrary<unknown>>);
  return { weight, arbitrary: arbitrary as unknown as fc.Arbitrary<Operation> };
}

const operation = fc.oneof(
  weighted(3, 'create', {
    name: fc.nat(3),
    narrow: fc.boolean(),
    info,
    messages: fc.array(draft, { maxLength: 4 }),
  }),
  weighted(4, 'append', {
    agent,
    messages: drafts,
    narrow: fc.boolean(),
    events: fc.nat(2),
    expect: fc.constantFrom('nothing', 'right', 'right', 'wrong'),
    operation: fc.boolean(),
    late: fc.boolean(),
  }),
  weighted(5, 'save', { agent, keep: position, tail: fc.array(draft, { maxLength: 3 }), ask: fc.boolean() }),
  weighted(6, 'ask', {
    agent,
    calls: fc.integer({ min: 1, max: 3 }),
    approval: fc.boolean(),
    narrow: fc.boolean(),
  }),
  weighted(4, 'record', { agent, call: position, record, named: fc.boolean(), narrow: fc.boolean() }),
  weighted(9, 'finish', {
    agent,
    call: position,
    failed: fc.boolean(),
    output: json,
    runsFirst: fc.boolean(),
    durationMs: fc.option(fc.constantFrom(0, 0.5, 7, 90_000), { nil: undefined }),
  }),
  weighted(1, 'contradict', { agent, call: position }),
  weighted(6, 'record first', {
    agent,
    state: fc.constantFrom('executing', 'approval_required', 'completed'),
    alone: fc.boolean(),
  }),
  weighted(4, 'decide', {
    agent,
    call: position,
    allow: fc.boolean(),
    by: fc.option(fc.constantFrom('ann', 'bob'), { nil: undefined }),
  }),
  weighted(5, 'snapshot', {
    agent,
    name: fc.nat(2),
    of: fc.constantFrom('all', 'all', 'some', 'others'),
    position,
  }),
  weighted(7, 'fork', {
    agent,
    at: fc.constantFrom('all', 'some', 'some', 'snapshot', 'snapshot', 'nowhere'),
    position,
    named: fc.boolean(),
  }),
  weighted(2, 'delete', { agent }),
  weighted(2, 'info', { agent, info }),
  weighted(1, 'todos', { agent, todos: fc.array(json, { maxLength: 3 }) }),
  weighted(1, 'document', { agent, name: fc.nat(2), content: json, remove: fc.boolean() }),
  weighted(1, 'usage', {
    agent,
    model: fc.nat(1),
    tokens: fc.nat(1_000),
    latencyMs: fc.option(fc.nat(1_000), { nil: undefined }),
  }),
  weighted(2, 'compact', { agent, position, summary: drafts, more: fc.array(draft, { maxLength: 1 }) }),
  weighted(2, 'event', { agent, count: fc.integer({ min: 1, max: 3 }), narrow: fc.boolean() }),
  weighted(1, 'delta', { agent }),
  weighted(1, 'lease', { agent }),
  weighted(1, 'repeat', { which: fc.nat(4), changed: fc.boolean() }),
  weighted(1, 'reopen', {}),
  weighted(2, 'look', { agent }),
  weighted(2, 'sessions', { filter: sessionFilter, page }),
  weighted(3, 'messages', { filter: messageFilter, page }),
  weighted(3, 'tool calls', { filter: callFilter, page }),
  weighted(2, 'statistics', { agent, filter: fc.option(sessionFilter, { nil: undefined }) }),
);

/** Up to 40, of which the first two make sure that there is something to work on. */
export const operations: fc.Arbitrary<Operation[]> = fc
  .tuple(
    fc.array(draft, { minLength: 2, maxLength: 5 }),
    fc.array(operation, { minLength: 10, maxLength: 38, size: 'max' }),
  )
  .map(([messages, rest]) => [
    { op: 'create', name: 0, narrow: false, info: {}, messages },
    { op: 'create', name: 1, narrow: true, info: {}, messages: [] },
    ...rest,
  ]);
