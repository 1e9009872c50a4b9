import assert from 'node:assert/strict';
import type { ToolCallRecord } from '../../src/model/tool-call.ts';
import type { AgentStats } from '../../src/store/filters.ts';

/** A plain text for a value: equal texts mean equal values, types of instants and absence of keys included. */
export function view(value: unknown): string {
  if (value instanceof Date) return `Date(${value.toISOString()})`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return JSON.stringify(value) ?? 'undefined';
  // The keys of a record have no order; those of a payload within it do.
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{ ${entries.map(([key, one]) => `${key}: ${one instanceof Date ? view(one) : JSON.stringify(one)}`).join(', ')} }`;
}

/**
 * A call without what only a store knows: when it was touched last, when it was decided, the wording of
 * errors, and what a cut-off copy keeps of its original's times.
 */
export function callView(call: ToolCallRecord): string {
  const { updatedAt, auditTrail, approval, startedAt, completedAt, durationMs, error, ...rest } = call;
  assert.ok(updatedAt >= call.createdAt, 'a call that was touched before it was there');
  const { decidedAt, ...decision } = approval;
  assert.equal(decidedAt === undefined, decision.decision === undefined, 'decidedAt goes with the decision');
  for (const [n, entry] of auditTrail.entries()) {
    assert.ok(n === 0 || entry.at >= (auditTrail[n - 1]?.at ?? 0), 'an audit trail that runs backwards');
  }
  const common = { ...rest, approval: view(decision), state: auditTrail.at(-1)?.state };
  if (call.state === 'sealed') {
    assert.ok(error, 'a sealed call says why');
    return view(common);
  }
  const states = auditTrail.map((entry) => entry.state);
  return view({ ...common, states, ...defined({ startedAt, completedAt, durationMs, error }) });
}

function defined(part: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));
}

/**
 * Counts of zero say nothing. A cut-off copy makes two things the store's affair: whether it counts for the
 * error rate, and how long it took.
 */
export function statsView({ toolCallsByState, toolCallsByName, errorRate, ...rest }: AgentStats): string {
  const counted = (counts: Record<string, number>) =>
    Object.entries(counts)
      .filter(([, count]) => count !== 0)
      .sort(([one], [other]) => (one < other ? -1 : 1));
  const tokens = Object.entries(rest.tokensByModel)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([model, total]) => [model, view(total)]);
  const { tokensByModel: _, toolLatencyMs, modelLatencyMs, ...totals } = rest;
  return view({
    ...totals,
    tokens,
    modelLatency: view(modelLatencyMs),
    states: counted(toolCallsByState),
    names: counted(toolCallsByName),
    ...(toolCallsByState.sealed ? {} : { errorRate, toolLatency: view(toolLatencyMs) }),
  });
}

interface Page {
  limit?: number;
  offset?: number;
  order?: 'asc' | 'desc';
}

/**
 * `actual` is the page that it should be of all that matches, given in ascending order. Where several have
 * the same instant and the order among them is the store's own, `instant` says which those are.
 */
export function samePage<T>(
  actual: readonly T[],
  ascending: readonly T[],
  { limit = 100, offset = 0, order = 'desc' }: Page,
  show: (item: T) => string,
  instant?: (item: T) => Date,
): void {
  const all = order === 'asc' ? ascending : ascending.toReversed();
  const expected = all.slice(offset, offset + limit);
  if (!instant) {
    assert.deepEqual(actual.map(show), expected.map(show));
    return;
  }
  assert.deepEqual(actual.map(instant), expected.map(instant));
  const left = all.map(show);
  for (const item of actual.map(show)) {
    const place = left.indexOf(item);
    assert.ok(
      place >= 0,
      `not among what matches, or there twice: ${item}\nwhat matches: ${left.join('\n')}`,
    );
    left.splice(place, 1);
  }
}
