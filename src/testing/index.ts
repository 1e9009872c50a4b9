import { agentLifetimeSpec } from './agent-lifetime.spec.ts';
import { agentsSpec } from './agents.spec.ts';
import { argumentsSpec } from './arguments.spec.ts';
import { branchesSpec } from './branches.spec.ts';
import { callNamesSpec } from './call-names.spec.ts';
import { claimsSpec } from './claims.spec.ts';
import { clockSpec } from './clock.spec.ts';
import { commitsSpec } from './commits.spec.ts';
import { compactionsSpec } from './compactions.spec.ts';
import { concurrencySpec } from './concurrency.spec.ts';
import { decisionsSpec } from './decisions.spec.ts';
import { documentsSpec } from './documents.spec.ts';
import { eventsSpec } from './events.spec.ts';
import { exactnessSpec } from './exactness.spec.ts';
import { forkToolCallsSpec } from './fork-tool-calls.spec.ts';
import { forksSpec } from './forks.spec.ts';
import { futureSpec } from './future.spec.ts';
import { type Backend, createSpec, type Runner, type Spec } from './harness.ts';
import { healthSpec } from './health.spec.ts';
import { hostileValuesSpec } from './hostile-values.spec.ts';
import { instantsSpec } from './instants.spec.ts';
import { iteratorsSpec } from './iterators.spec.ts';
import { leaseTimeSpec } from './lease-time.spec.ts';
import { leasesSpec } from './leases.spec.ts';
import { lifecycleSpec } from './lifecycle.spec.ts';
import { loadAgentSpec } from './load-agent.spec.ts';
import { messageQueriesSpec } from './message-queries.spec.ts';
import { messagesSpec } from './messages.spec.ts';
import { operationsSpec } from './operations.spec.ts';
import { parallelForksSpec } from './parallel-forks.spec.ts';
import { repeatedCallIdsSpec } from './repeated-call-ids.spec.ts';
import { sessionQueriesSpec } from './session-queries.spec.ts';
import { snapshotsSpec } from './snapshots.spec.ts';
import { statisticsSpec } from './statistics.spec.ts';
import { todosSpec } from './todos.spec.ts';
import { toolCallQueriesSpec } from './tool-call-queries.spec.ts';
import { toolCallRecordsSpec } from './tool-call-records.spec.ts';
import { toolCallsSpec } from './tool-calls.spec.ts';
import { unlinkedCallsSpec } from './unlinked-calls.spec.ts';
import { watchSpec } from './watch.spec.ts';
import { workingSetSpec } from './working-set.spec.ts';

export { type Clock, type Timer, withClock } from '../model/clock.ts';
export type {
  Backend,
  Capabilities,
  ClockedSpecContext,
  ExtendedSpecContext,
  Runner,
  SharedClockedSpecContext,
  Spec,
  SpecContext,
  TestDatabase,
} from './harness.ts';
export { createSpec } from './harness.ts';
export { MovableClock } from './movable-clock.ts';

const SPECS: readonly ((spec: Spec) => void)[] = [
  agentsSpec,
  agentLifetimeSpec,
  clockSpec,
  commitsSpec,
  operationsSpec,
  instantsSpec,
  futureSpec,
  messagesSpec,
  argumentsSpec,
  hostileValuesSpec,
  exactnessSpec,
  toolCallsSpec,
  toolCallRecordsSpec,
  repeatedCallIdsSpec,
  callNamesSpec,
  eventsSpec,
  todosSpec,
  documentsSpec,
  compactionsSpec,
  snapshotsSpec,
  forksSpec,
  forkToolCallsSpec,
  unlinkedCallsSpec,
  parallelForksSpec,
  branchesSpec,
  loadAgentSpec,
  workingSetSpec,
  leasesSpec,
  leaseTimeSpec,
  decisionsSpec,
  claimsSpec,
  watchSpec,
  sessionQueriesSpec,
  messageQueriesSpec,
  toolCallQueriesSpec,
  statisticsSpec,
  iteratorsSpec,
  healthSpec,
  lifecycleSpec,
  concurrencySpec,
];

/**
 * Everything that a store promises, as tests on one backend.
 *
 * @example
 * import { describe, it } from 'vitest';
 * import { defineStoreSuite } from '@shareai-lab/kode-sdk/testing';
 *
 * defineStoreSuite({ describe, it }, myBackend);
 */
export function defineStoreSuite(runner: Runner, backend: Backend): void {
  const spec = createSpec(runner, backend);
  runner.describe(backend.name, () => {
    for (const define of SPECS) define(spec);
  });
}
