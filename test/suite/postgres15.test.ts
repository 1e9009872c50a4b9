import { concurrencySpec } from '../../src/testing/concurrency.spec.ts';
import { exactnessSpec } from '../../src/testing/exactness.spec.ts';
import { healthSpec } from '../../src/testing/health.spec.ts';
import { createSpec, defineStoreSuite } from '../../src/testing/index.ts';
import { instantsSpec } from '../../src/testing/instants.spec.ts';
import { iteratorsSpec } from '../../src/testing/iterators.spec.ts';
import { leasesSpec } from '../../src/testing/leases.spec.ts';
import { messageQueriesSpec } from '../../src/testing/message-queries.spec.ts';
import { sessionQueriesSpec } from '../../src/testing/session-queries.spec.ts';
import { statisticsSpec } from '../../src/testing/statistics.spec.ts';
import { toolCallQueriesSpec } from '../../src/testing/tool-call-queries.spec.ts';
import { postgresBackend, runner } from '../support/backends.ts';
import { WHOLE } from '../support/environment.ts';

const backend = postgresBackend('postgres15');

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
  healthSpec,
  leasesSpec,
  concurrencySpec,
];

if (WHOLE) defineStoreSuite(runner, backend);
else {
  const spec = createSpec(runner, backend);
  runner.describe(backend.name, () => {
    for (const define of DIFFERENT) define(spec);
  });
}
