import { concurrencySpec } from '../../src/testing/concurrency.spec.ts';
import { exactnessSpec } from '../../src/testing/exactness.spec.ts';
import type { Backend, Spec } from '../../src/testing/harness.ts';
import { healthSpec } from '../../src/testing/health.spec.ts';
import { createSpec, defineStoreSuite } from '../../src/testing/index.ts';
import { instantsSpec } from '../../src/testing/instants.spec.ts';
import { iteratorsSpec } from '../../src/testing/iterators.spec.ts';
import { leasesSpec } from '../../src/testing/leases.spec.ts';
import { messageQueriesSpec } from '../../src/testing/message-queries.spec.ts';
import { sessionQueriesSpec } from '../../src/testing/session-queries.spec.ts';
import { statisticsSpec } from '../../src/testing/statistics.spec.ts';
import { toolCallQueriesSpec } from '../../src/testing/tool-call-queries.spec.ts';
import { watchSpec } from '../../src/testing/watch.spec.ts';
import { postgresBackend, runner } from '../support/backends.ts';
import { WHOLE } from '../support/environment.ts';

const backend = postgresBackend('postgres15');
/** Others, here and on PostgreSQL 18, are on pools of the tests'. */
const withOwnPools = { ...postgresBackend('postgres15', { ownPools: true }), name: 'postgres15, own pools' };

/**
 * What a version, a collation and a time zone can change: text, instants, orders, plans and locks. Random
 * histories of everything run here as well (test/differential), and the whole suite in the matrix.
 */
const DIFFERENT = [
  exactnessSpec,
  instantsSpec,
  sessionQueriesSpec,
  messageQueriesSpec,
  toolCallQueriesSpec,
  statisticsSpec,
  iteratorsSpec,
  concurrencySpec,
];

/** What depends on who has which of a pool's connections. */
const ON_OWN_POOLS = [healthSpec, leasesSpec, watchSpec];

if (WHOLE) defineStoreSuite(runner, backend);
else define(backend, DIFFERENT);
define(withOwnPools, ON_OWN_POOLS);

function define(on: Backend, specs: readonly ((spec: Spec) => void)[]): void {
  const spec = createSpec(runner, on);
  runner.describe(on.name, () => {
    for (const defineSpec of specs) defineSpec(spec);
  });
}
